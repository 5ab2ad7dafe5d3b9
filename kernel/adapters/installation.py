"""The one row that names this life of the database."""

import secrets
import string

import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.adapters.tables import InstallationRow
from kernel.clock import Clock

INSTALLATION = table_of(InstallationRow)

_ONLY = 1
_LETTERS = string.ascii_lowercase + string.digits


async def epoch_of(database: Database, clock: Clock) -> str:
    """The epoch of every stream in this database; made by whichever node asks first."""
    found = await _read(database)
    if found is None:
        fresh = "".join(secrets.choice(_LETTERS) for _ in range(8))
        row = {"id": _ONLY, "epoch": fresh, "created_at": clock.now()}
        async with database.transaction() as connection:
            await connection.execute(database.insert_new(INSTALLATION, on=["id"]), row)
        found = await _read(database)
    assert found is not None, "the installation row was written and is gone"
    return found


async def _read(database: Database) -> str | None:
    statement = sa.select(INSTALLATION.c.epoch).where(INSTALLATION.c.id == _ONLY)
    async with database.reading() as connection:
        found: str | None = (await connection.execute(statement)).scalar_one_or_none()
    return found
