"""Every operation of reminders, and everybody who may ask it: over HTTP, as it is served."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.around_event import LEAST_FIRST, NOBODY, OPERATOR, OTHER_SERVER, Around, around
from tests.support.reminder_questions import MATRIX, SERVERS, question, row

REFUSED = (401, 403, 404)


@pytest.fixture
async def everybody(sqlite_database_url: str) -> AsyncIterator[Around]:
    async with around(sqlite_database_url) as people:
        yield people


async def test_every_operation_is_in_the_matrix(everybody: Around) -> None:
    assert {row(each) for each in everybody.operations} == set(MATRIX)


async def test_each_may_ask_what_the_matrix_says_and_nothing_else(everybody: Around) -> None:
    wrong: list[str] = []
    names: dict[str, Any] = {}
    for operation in everybody.operations:
        may, said = MATRIX[row(operation)]
        if not names or operation.method != "GET" or operation.open:
            names = await everybody.names(operation)
        askers = LEAST_FIRST
        if operation.scope is not None:
            # No user gets beyond the door of servers, whatever their role.
            may, askers = SERVERS, (NOBODY, OTHER_SERVER, "owner", OPERATOR)
        for who in askers:
            if operation.method == "DELETE" and who in may:
                # What somebody ended is there again for the next.
                names = await everybody.names(operation)
            asked = question(operation, names, said)
            answer = await everybody.ask(who, operation, **asked)
            right = answer.is_success if who in may else answer.status_code in REFUSED
            if not right:
                wrong.append(f"{operation.name} by {who}: {answer.status_code} {answer.text}")

    assert wrong == []
