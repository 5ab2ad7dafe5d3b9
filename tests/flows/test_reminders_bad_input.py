"""Nothing that anybody sends to reminders does more than be refused, by field and rule."""

import json
import os
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from copy import deepcopy
from typing import Any

import httpx
import msgspec
import pytest

from kernel.errors import InvalidInput
from kernel.operations import AnyOperation
from tests.support.around_event import OPERATOR, Around, around
from tests.support.reminder_questions import MATRIX, question, row

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ

HOSTILE: tuple[Any, ...] = (
    {"a": 1},
    "",
    "\x00\u202e\ud800",
    "x" * 9_000,
    -(10**30),
    10**15,
    1e308,
    True,
    None,
    json.loads("[" * 400 + "]" * 400),
    "9999-12-31",
    "0001-01-01T00:00:00Z",
    "../../etc/passwd",
    "-31T99:99",
)

_DAYS = {"months": -1, "weeks": 0, "days": -3, "at": "10:00", "anchor": "main", "span": 90}
DETAILS = {
    "notes": "Avec Khalti",
    "priority": "key",
    "usual": True,
    "nag": True,
    "opens": {"kind": "event", **_DAYS},
    "payment": {"amount": 1, "currency": "DZD", "vendor": "Salle", "vendor_id": "vendor"},
    "recurrence": {"rule": "FREQ=DAILY", "from_completion": False, "except_on": ["2027-05-01"]},
    "nearby": [{"label": "Salle", "latitude": 36.7, "longitude": 3.0, "radius_metres": 100}],
}
WALL = {"kind": "wall", "day": "2027-05-01", "at": "10:00", "zone": "Africa/Algiers"}

FULL: Mapping[str, Mapping[str, Any]] = {
    "tasks.create": {"title": "Salle", "due": WALL, "details": DETAILS},
    "tasks.update": {
        "title": "Salle",
        "due": {"kind": "event", **_DAYS, "start": "2027-01-01"},
        "assignee_id": "owner",
        "details": {"priority": "low"},
    },
    "rules.put": {
        "lead": {"kind": "calendar", "at": "09:00", "months": 0, "weeks": 0, "days": 1},
        "zone_policy": "fixed",
        "zone": "Africa/Algiers",
    },
    "profile.put": {
        "zone": "Africa/Algiers",
        "locale": "fr-DZ",
        "quiet": {"start": "22:00", "end": "07:00"},
    },
    "profile.put_usual": {
        "occasions": {
            "key": {"on": True, "leads": [{"days": 3, "at": "10:00"}]},
            "appointment": {"on": True, "leads": [{"minutes": 30}]},
        }
    },
    "alarms.acknowledge": {"alarms": ["a"]},
}
"""Questions that say more than they must, so that there is more to get wrong."""

NO_SUCH_PATH = frozenset({"not_found", "method_not_allowed"})
"""What a path with nothing in one of its places leads to."""


@pytest.fixture
async def everybody(sqlite_database_url: str) -> AsyncIterator[Around]:
    async with around(sqlite_database_url) as people:
        yield people


async def test_hostile_values_are_refused_by_field_and_rule(everybody: Around) -> None:
    chance = random.Random(5)
    wrong: list[str] = []
    for operation in everybody.operations:
        if operation.name.endswith(("_for", "_of")):
            continue
        who = "owner" if operation.scope is None else OPERATOR
        names = await everybody.names(operation)
        said = FULL.get(row(operation)) or MATRIX[row(operation)][1]
        plain = question(operation, names, said)
        accepted = await everybody.ask(who, operation, **plain)
        assert accepted.is_success or operation.name == "guests.answer", accepted.text
        fields = {each.name: None for each in msgspec.structs.fields(operation.takes)}
        for path in places({**fields, **plain}):
            for value in HOSTILE if SOAK else chance.sample(HOSTILE, 2):
                asked = deepcopy(plain)
                put(asked, path, value)
                answer = await everybody.ask(who, operation, **asked)
                if not is_well_refused(operation, answer):
                    wrong.append(f"{operation.name} {path} {value!r:.60}: {answer.text:.200}")

    assert wrong == []


def is_well_refused(operation: AnyOperation, answer: httpx.Response) -> bool:
    """Whether an answer, if it is a refusal of what was asked, is one that the API describes, and
    says of which part and why."""
    if answer.is_success:
        return True
    told = answer.json()
    if told["code"] == InvalidInput.code:
        return set(told["details"]) >= {"field", "rule"}
    return told["code"] in NO_SUCH_PATH.union(each.code for each in operation.refusals)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something else could stand: every field, and every part of those that have any."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, part in value.items():
            yield from places(part, (*path, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from places(part, (*path, number))


def put(value: Any, path: tuple[Any, ...], hostile: Any) -> None:
    """Put something else at a place."""
    *way, last = path
    for part in way:
        value = value[part]
    value[last] = hostile
