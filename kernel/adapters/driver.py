"""Statements on SQLite as its driver runs them, where rows are many or trips count.

SQLAlchemy goes to SQLite's thread three or four times for one statement, and makes an object of
each row; here it is one trip, and what the driver makes. Values are as the driver knows them;
errors are SQLAlchemy's all the same. On PostgreSQL there is no thread to go to, so SQLAlchemy runs
them.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


async def fetch(
    connection: AsyncConnection, statement: str, values: Sequence[Any]
) -> Sequence[Sequence[Any]]:
    """All rows of one statement, written in the database's own dialect and parameters."""
    if connection.dialect.name != "sqlite":
        return (await connection.exec_driver_sql(statement, tuple(values))).all()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    with _translated(statement):
        return list(await driver.execute_fetchall(statement, values))


async def run_many(
    connection: AsyncConnection, statement: str, rows: Sequence[Sequence[Any]]
) -> None:
    """One statement of SQLite's for each of the rows, in the transaction of `connection`."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    with _translated(statement):
        await driver.executemany(statement, rows)


@contextmanager
def _translated(statement: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise sa.exc.DBAPIError.instance(
            statement, None, error, sqlite3.Error, hide_parameters=True
        ) from error
