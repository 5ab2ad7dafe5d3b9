"""Statements as the database's driver runs them, where rows are many or trips count.

SQLAlchemy goes to SQLite's thread three or four times for one statement, and makes an object of
each row; here it is one trip, and what the driver makes. Values are as the driver knows them;
errors are SQLAlchemy's all the same.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


async def fetch(
    connection: AsyncConnection, statement: str, values: Sequence[Any]
) -> Sequence[Sequence[Any]]:
    """All rows of one statement, written in the database's own dialect and parameters.

    On PostgreSQL it must not be part of a transaction: SQLAlchemy would not know of one.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if connection.dialect.name != "sqlite":
        return await _fetch_on_postgres(connection, driver, statement, values)
    with translated(statement, sqlite3.Error):
        return list(await driver.execute_fetchall(statement, values))


async def run_many(
    connection: AsyncConnection, statement: str, rows: Sequence[Sequence[Any]]
) -> None:
    """One statement of SQLite's for each of the rows, in the transaction of `connection`."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    with translated(statement, sqlite3.Error):
        await driver.executemany(statement, rows)


async def copy(
    connection: AsyncConnection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Add rows to a table of PostgreSQL's, in the transaction of `connection`, which must have
    begun with another statement.

    For a parameter that is a list the driver asks of each item whether it is a list itself,
    which takes longer than anything else it does with it.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    async with _on_postgres(connection, driver, f"COPY {table}"):
        await driver.copy_records_to_table(table, columns=columns, records=rows)


async def _fetch_on_postgres(
    connection: AsyncConnection, driver: Any, statement: str, values: Sequence[Any]
) -> Sequence[Sequence[Any]]:
    async with _on_postgres(connection, driver, statement):
        rows: Sequence[Sequence[Any]] = await driver.fetch(statement, *values)
        return rows


@asynccontextmanager
async def _on_postgres(
    connection: AsyncConnection, driver: Any, statement: str
) -> AsyncIterator[None]:
    try:
        with translated(statement, asyncpg.PostgresError, asyncpg.InterfaceError):
            yield
    except sa.exc.DBAPIError:
        if driver.is_closed():
            # SQLAlchemy must meet it too: it has a pool to look after, and words for what it is.
            await connection.exec_driver_sql("SELECT 1")
        raise
    except asyncio.CancelledError:
        # What was asked for may still come, and is for nobody else.
        await connection.invalidate()
        raise


@contextmanager
def translated(statement: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn the driver's errors into SQLAlchemy's, which name no values."""
    try:
        yield
    except kinds as error:
        raise sa.exc.DBAPIError.instance(
            statement, None, error, Exception, hide_parameters=True
        ) from error
