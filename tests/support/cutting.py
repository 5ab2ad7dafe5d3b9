"""Connections to PostgreSQL, cut from its side."""

import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions


async def end_all_others(url: str) -> None:
    """End every connection to this database, and wait until they are gone."""
    other = Database(DatabaseOptions(url=url))
    end = sa.text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with other.reading() as connection:
        await connection.execute(end)
    await other.close()
