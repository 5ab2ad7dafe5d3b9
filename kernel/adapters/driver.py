"""Reading as the driver does it: tuples, for statements whose rows are many.

SQLAlchemy goes to SQLite's thread several times for one statement, and makes an object of each
row; here it is one trip, and what the driver makes. Values come as the driver knows them.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection


async def fetch(
    connection: AsyncConnection, statement: str, values: Sequence[Any]
) -> Sequence[Sequence[Any]]:
    """All rows of one reading statement, written in the database's own dialect and parameters."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if connection.dialect.name == "sqlite":
        rows: Sequence[Sequence[Any]] = list(await driver.execute_fetchall(statement, values))
        return rows
    found: Sequence[Sequence[Any]] = await driver.fetch(statement, *values)
    return found
