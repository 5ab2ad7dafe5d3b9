"""A transaction of SQLite's in one trip: as whole as any other, and in turn with them."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions, table_of
from kernel.adapters.tables import LeaseRow
from kernel.errors import Unavailable

LEASES = table_of(LeaseRow)


def add(connection: sqlite3.Connection, name: str) -> int:
    """Write a lease; how many there are then."""
    connection.execute(
        "INSERT INTO leases (name, holder, fence, expires_at) VALUES (?, 'a', 1, 0)", (name,)
    )
    [[count]] = connection.execute("SELECT count(*) FROM leases")
    return int(count)


async def names(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list((await connection.execute(sa.select(LEASES.c.name))).scalars())


async def test_it_is_kept_and_gives_what_it_found(sqlite_database):
    assert await sqlite_database.in_one_trip(lambda connection: add(connection, "one")) == 1

    assert await names(sqlite_database) == ["one"]


async def test_an_exception_undoes_all_of_it_and_the_next_goes_on(sqlite_database):
    def fail(connection: sqlite3.Connection) -> None:
        add(connection, "one")
        raise LookupError

    with pytest.raises(LookupError):
        await sqlite_database.in_one_trip(fail)

    assert await sqlite_database.in_one_trip(lambda connection: add(connection, "two")) == 1
    assert await names(sqlite_database) == ["two"]


async def test_what_a_statement_did_wrong_tells_no_values(sqlite_database):
    await sqlite_database.in_one_trip(lambda connection: add(connection, "a secret"))

    with pytest.raises(sa.exc.IntegrityError) as refused:
        await sqlite_database.in_one_trip(lambda connection: add(connection, "a secret"))

    assert "UNIQUE" in str(refused.value)
    assert "a secret" not in str(refused.value)


async def test_it_takes_turns_with_transactions_of_many_trips(sqlite_database):
    async def in_many_trips(name: str) -> None:
        async with sqlite_database.transaction() as connection:
            lease = {"name": name, "holder": "a", "fence": 1, "expires_at": "0"}
            await connection.execute(
                sa.text("INSERT INTO leases VALUES (:name, :holder, :fence, :expires_at)"), lease
            )

    def in_one(name: str) -> asyncio.Future[int]:
        return asyncio.ensure_future(
            sqlite_database.in_one_trip(lambda connection: add(connection, name))
        )

    await asyncio.gather(
        *(in_many_trips(f"many {number}") for number in range(20)),
        *(in_one(f"one {number}") for number in range(20)),
    )

    assert len(await names(sqlite_database)) == 40


async def test_whoever_gives_up_leaves_it_whole_and_the_connection_usable(sqlite_database):
    begun, may_end = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        add(connection, "one")
        begun.set()
        may_end.wait(60)

    going = asyncio.ensure_future(sqlite_database.in_one_trip(slow))
    await asyncio.to_thread(begun.wait, 60)
    going.cancel()
    asyncio.get_running_loop().call_soon(may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await going

    assert await sqlite_database.in_one_trip(lambda connection: add(connection, "two")) == 2


async def test_a_file_that_somebody_else_keeps_locked_is_an_outage(sqlite_database):
    path = sqlite_database.engine.url.database
    impatient = Database(DatabaseOptions(url=f"sqlite:///{path}", timeout_seconds=0.1))
    try:
        with locked(str(path)), pytest.raises(Unavailable):
            await impatient.in_one_trip(lambda connection: add(connection, "one"))

        assert await impatient.in_one_trip(lambda connection: add(connection, "one")) == 1
    finally:
        await impatient.close()


@contextmanager
def locked(path: str) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
