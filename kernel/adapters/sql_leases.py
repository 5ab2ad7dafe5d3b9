"""Leases in a table. A name keeps its row for ever, and with it its fence."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kernel.adapters.database import Database, table_of
from kernel.adapters.tables import LeaseRow
from kernel.leases import Lease

LEASES = table_of(LeaseRow)

# Both dialects have the statement, but SQLAlchemy gives them no type in common.
_INSERT: Mapping[str, Callable[[sa.Table], Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


class SqlLeases:
    """Whoever claims at the same time, the row decides."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, name: str, *, holder: str, now: datetime, length: timedelta
    ) -> Lease | None:
        free = sa.or_(
            LEASES.c.holder.is_(None), LEASES.c.holder == holder, LEASES.c.expires_at <= now
        )
        until = now + length
        async with self._database.transaction() as connection:
            insert = _INSERT[connection.dialect.name](LEASES)
            claim = insert.values(name=name, holder=holder, fence=1, expires_at=until)
            claim = claim.on_conflict_do_update(
                index_elements=["name"],
                set_={"holder": holder, "fence": LEASES.c.fence + 1, "expires_at": until},
                where=free,
            )
            fence = (await connection.execute(claim.returning(LEASES.c.fence))).scalar()
        return None if fence is None else Lease(name, holder, fence, until)

    async def renew(self, lease: Lease, *, now: datetime, length: timedelta) -> Lease | None:
        until = now + length
        statement = LEASES.update().where(_held(lease)).values(expires_at=until)
        async with self._database.transaction() as connection:
            held = (await connection.execute(statement)).rowcount == 1
        return Lease(lease.name, lease.holder, lease.fence, until) if held else None

    async def release(self, lease: Lease) -> bool:
        statement = LEASES.update().where(_held(lease)).values(holder=None)
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount == 1


def _held(lease: Lease) -> sa.ColumnElement[bool]:
    """Whether nobody else took it since; that its time ran out alone does not lose it."""
    return sa.and_(
        LEASES.c.name == lease.name,
        LEASES.c.holder == lease.holder,
        LEASES.c.fence == lease.fence,
    )
