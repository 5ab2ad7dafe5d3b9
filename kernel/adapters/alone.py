"""Being alone with what may have no row yet that could be held."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_HOLD = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def alone_with(connection: AsyncConnection, name: str) -> None:
    """Wait until nobody else is alone with the same, and be so until the transaction ends.

    What is read after that is what they left. On SQLite whoever writes is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(_HOLD, {"name": name})
