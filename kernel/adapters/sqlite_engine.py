"""SQLite's writer and readers: how they begin, and a whole transaction in one trip to a thread.

A connection of the driver's lives in a thread of its own. SQLAlchemy goes there three or four
times for one statement; each trip wakes the thread and gets the interpreter there and back.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

T = TypeVar("T")

BEGIN_WRITING = "BEGIN IMMEDIATE"
"""Nobody else writes from the beginning on, so whoever reads first may write what follows."""

Work = Callable[[sqlite3.Connection], T]
"""What a transaction does. It runs in another thread: nothing of the event loop's is for it."""


def sqlite_engine(
    url: str, *, size: int, begin: str, prepare: Callable[[Any], None], **options: Any
) -> AsyncEngine:
    """An engine of so many connections; each transaction starts with `begin`."""
    engine = create_async_engine(
        url.replace("sqlite:", "sqlite+aiosqlite:", 1),
        poolclass=sa.pool.AsyncAdaptedQueuePool,
        pool_size=size,
        max_overflow=0,
        hide_parameters=True,
        **options,
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        prepare(connection)

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # One trip; as a statement of SQLAlchemy's it would be three.
        driver: Any = connection.connection.dbapi_connection
        driver.run_async(lambda raw: raw.execute(begin))

    return engine


async def in_one_trip(connection: AsyncConnection, work: Work[T]) -> T:
    """`work` as one whole transaction, rolled back by any exception. Raises the driver's errors.

    `connection` must not be in a transaction. Whoever gives up waiting leaves it to be finished.
    """
    raw: Any = (await connection.get_raw_connection()).driver_connection
    # Of aiosqlite's own: it has no word of its own for a function that is given a connection.
    result: T = await raw._execute(_transact, raw._conn, work)
    return result


def _transact(connection: sqlite3.Connection, work: Work[T]) -> T:
    connection.execute(BEGIN_WRITING)
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite may have done so by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
