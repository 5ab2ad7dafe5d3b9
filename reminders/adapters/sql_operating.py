"""What operators decide about reminders, in tables."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database
from reminders.adapters.mapping import EVENTS, MARKS, PAUSES
from reminders.firing import FiringClass


class SqlOperatingStore:
    """One adapter for both databases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def paused(self) -> Mapping[FiringClass, datetime]:
        async with self._database.reading() as connection:
            rows = await connection.execute(sa.select(PAUSES))
            return {FiringClass(row.firing_class): row.paused_at for row in rows}

    async def pause(self, firing_class: FiringClass, *, now: datetime) -> None:
        new = self._database.insert_new(PAUSES, on=["firing_class"])
        async with self._database.transaction() as connection:
            await connection.execute(
                new.values({"firing_class": str(firing_class), "paused_at": now})
            )

    async def resume(self, firing_class: FiringClass) -> bool:
        gone = PAUSES.delete().where(PAUSES.c.firing_class == str(firing_class))
        async with self._database.transaction() as connection:
            return (await connection.execute(gone)).rowcount > 0

    async def mark(self, event_id: UUID, *, now: datetime) -> bool:
        there = sa.select(EVENTS.c.id).where(EVENTS.c.id == event_id)
        async with self._database.transaction() as connection:
            if (await connection.execute(there)).first() is None:
                return False
            await connection.execute(MARKS.insert().values(event_id=event_id, marked_at=now))
        return True
