"""Short reads: SQLite answers all who ask in the same moment together, PostgreSQL each alone."""

import asyncio

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions, table_of
from kernel.adapters.tables import LeaseRow
from kernel.errors import Unavailable
from tests.support.clock import START

LEASES = table_of(LeaseRow)


async def ask(database: Database, value: int) -> list[tuple[object, ...]]:
    """Ten over `value`, which is an error for zero, and for what is no number of the database's."""
    marker = "?1" if database.is_sqlite else "$1::bigint"
    if database.is_sqlite and value == 0:
        return await database.fetch("SELECT no_such_thing(?1)", (value,))
    return [tuple(row) for row in await database.fetch(f"SELECT 10 / {marker}", (value,))]


async def test_each_of_those_who_ask_at_once_is_told_their_own(database):
    answers = await asyncio.gather(*(ask(database, each) for each in (1, 2, 5, 10)))

    assert answers == [[(10,)], [(5,)], [(2,)], [(1,)]]


async def test_a_question_that_fails_fails_for_who_asked_it_alone(database):
    answers = await asyncio.gather(
        *(ask(database, each) for each in (1, 0, 2**80, 5)), return_exceptions=True
    )

    assert [answers[0], answers[3]] == [[(10,)], [(2,)]]
    assert isinstance(answers[1], sa.exc.DBAPIError)
    assert isinstance(answers[2], OverflowError | sa.exc.DBAPIError)
    assert await ask(database, 2) == [(5,)]


async def test_what_a_statement_did_wrong_tells_no_values(database):
    marker = "?1" if database.is_sqlite else "$1"
    with pytest.raises(sa.exc.DBAPIError) as refused:
        await database.fetch(f"SELECT no_such_thing({marker})", ("a secret",))

    assert "no_such_thing" in str(refused.value)
    assert "a secret" not in str(refused.value)


async def test_what_was_committed_before_is_seen(database):
    found = []
    for number in range(3):
        async with database.transaction() as connection:
            lease = {"name": f"{number}", "holder": "a", "fence": 1, "expires_at": START}
            await connection.execute(LEASES.insert(), lease)
        found += await database.fetch("SELECT count(*) FROM leases", ())

    assert [count for (count,) in found] == [1, 2, 3]


async def test_whoever_goes_away_leaves_the_others_their_answers(database):
    going, staying = (asyncio.create_task(ask(database, each)) for each in (1, 2))
    await asyncio.sleep(0)
    going.cancel()

    assert await staying == [(5,)]
    assert await ask(database, 5) == [(2,)]


async def test_a_file_that_is_not_there_yet_is_an_outage_until_it_is(tmp_path):
    database = Database(DatabaseOptions(url=f"sqlite:///{tmp_path / 'later' / 'zaffa.sqlite3'}"))
    with pytest.raises(Unavailable):
        await ask(database, 1)
    (tmp_path / "later").mkdir()

    assert await ask(database, 1) == [(10,)]
    await database.close()
