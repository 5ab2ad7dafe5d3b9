"""Statements that go to the driver past SQLAlchemy: their errors are told as all others are."""

import asyncio

import pytest
import sqlalchemy as sa

from kernel.adapters import pinging
from kernel.adapters.database import Database, DatabaseOptions
from kernel.adapters.driver import copy, fetch
from kernel.errors import Unavailable
from tests.support.clock import START
from tests.support.cutting import end_all_others

LEASES = "SELECT name, fence FROM leases"


async def read(database: Database, statement: str = LEASES, *values: object):
    async with database.reading() as connection:
        return [tuple(row) for row in await fetch(connection, statement, values)]


async def test_rows_come_as_they_are(database):
    assert await read(database) == []
    assert await read(database, "SELECT 1, 'one' UNION SELECT 2, 'two' ORDER BY 1") == [
        (1, "one"),
        (2, "two"),
    ]


async def test_what_a_statement_did_wrong_is_no_outage_and_tells_no_values(database):
    marker = "?1" if database.is_sqlite else "$1"
    with pytest.raises(sa.exc.DBAPIError) as refused:
        await read(database, f"SELECT no_such_thing({marker})", "a secret")

    assert "no_such_thing" in str(refused.value)
    assert "a secret" not in str(refused.value)
    assert await read(database) == []


@pytest.mark.external
async def test_connections_that_were_cut_are_met_as_an_outage_once(
    postgres_database, postgres_database_url, monkeypatch
):
    monkeypatch.setattr(pinging, "RESTED", 3600.0)
    await asyncio.gather(*(read(postgres_database) for _ in range(3)))
    await end_all_others(postgres_database_url)

    with pytest.raises(Unavailable):
        await read(postgres_database)
    for _ in range(3):
        assert await read(postgres_database) == []


@pytest.mark.external
async def test_a_connection_that_is_cut_while_it_is_asked_is_an_outage(
    postgres_database, postgres_database_url
):
    asking = asyncio.create_task(read(postgres_database, "SELECT pg_sleep(60)"))
    await sleeping(postgres_database)
    await end_all_others(postgres_database_url)

    with pytest.raises(Unavailable):
        await asking


@pytest.mark.external
async def test_a_lock_that_somebody_holds_for_too_long_is_an_outage(postgres_database_url):
    holder = Database(DatabaseOptions(url=postgres_database_url))
    database = Database(DatabaseOptions(url=postgres_database_url, timeout_seconds=0.2))
    async with holder.transaction() as connection:
        await connection.exec_driver_sql("LOCK TABLE leases")

        with pytest.raises(Unavailable):
            await read(database)

    assert await read(database) == []
    await holder.close()
    await database.close()


@pytest.mark.external
async def test_who_gives_up_waiting_leaves_no_answer_to_others(postgres_database):
    asking = asyncio.create_task(read(postgres_database, "SELECT pg_sleep(60)"))
    await sleeping(postgres_database)
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    for _ in range(3):
        assert await read(postgres_database, "SELECT 1") == [(1,)]


@pytest.mark.external
async def test_what_is_copied_is_kept_with_its_transaction_or_not_at_all(postgres_database):
    await add_leases(postgres_database, "one", "two")
    with pytest.raises(sa.exc.DBAPIError):
        await add_leases(postgres_database, "three", "two")

    assert sorted(await read(postgres_database)) == [("one", 1), ("two", 1)]


@pytest.mark.external
async def test_a_connection_that_is_cut_before_it_copies_is_an_outage(
    postgres_database, postgres_database_url
):
    async def cut_off() -> None:
        async with postgres_database.transaction() as connection:
            await connection.exec_driver_sql(LEASES)
            await end_all_others(postgres_database_url)
            await copy(connection, "leases", ["name", "fence", "expires_at"], [("one", 1, START)])

    with pytest.raises(Unavailable):
        await cut_off()
    assert await read(postgres_database) == []


async def add_leases(database: Database, *names: str) -> None:
    async with database.transaction() as connection:
        await connection.exec_driver_sql(LEASES)
        rows = [(name, 1, START) for name in names]
        await copy(connection, "leases", ["name", "fence", "expires_at"], rows)


async def sleeping(database: Database) -> None:
    """Wait until PostgreSQL works on a statement that sleeps."""
    asleep = """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'
    """
    while not await read(database, asleep):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
