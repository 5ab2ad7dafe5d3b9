"""What operators decide about reminders, in tables."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database
from kernel.ids import UserId
from reminders.adapters.mapping import EVENTS, FIRINGS, LOG, PAUSES, SPREADS
from reminders.adapters.plan_marks import mark, marks_of
from reminders.firing import FiringClass, Outcome
from reminders.handover import PLANNED_OTHERWISE
from reminders.identity import SHARDS
from reminders.oversight import Dead, Deed, Forecast, Late, Minute

Recording = Callable[[AsyncConnection, Deed, datetime], Awaitable[None]]
"""Records a deed in the transaction of a connection."""


class SqlOperatingStore:
    """One adapter for both databases. The audit trail is not ours: `recording` writes to it."""

    def __init__(self, database: Database, recording: Recording) -> None:
        self._database = database
        self._recording = recording

    async def paused(self) -> Mapping[FiringClass, datetime]:
        async with self._database.reading() as connection:
            rows = await connection.execute(sa.select(PAUSES))
            return {FiringClass(row.firing_class): row.paused_at for row in rows}

    async def pause(self, firing_class: FiringClass, *, deed: Deed, now: datetime) -> bool:
        new = self._database.insert_new(PAUSES, on=["firing_class"])
        put = new.values({"firing_class": str(firing_class), "paused_at": now})
        return await self._done(put, deed, now) > 0

    async def resume(self, firing_class: FiringClass, *, deed: Deed, now: datetime) -> bool:
        gone = PAUSES.delete().where(PAUSES.c.firing_class == str(firing_class))
        return await self._done(gone, deed, now) > 0

    async def mark(self, event_id: UUID, *, deed: Deed, now: datetime) -> bool:
        one = sa.select(EVENTS.c.id).where(EVENTS.c.id == event_id)
        return await self._done(marks_of(one, now), deed, now) > 0

    async def mark_all(self, *, deed: Deed, now: datetime) -> int:
        return await self._done(marks_of(_STANDING, now, bulk=True), deed, now)

    async def spread(self) -> timedelta:
        async with self._database.reading() as connection:
            seconds = (await connection.execute(sa.select(SPREADS.c.seconds))).scalar_one_or_none()
        return timedelta(seconds=seconds or 0)

    async def put_spread(self, spread: timedelta, *, deed: Deed, now: datetime) -> int:
        put = self._database.upsert(SPREADS, on=["id"], update=["seconds", "set_at"])
        row = {"id": 1, "seconds": int(spread.total_seconds()), "set_at": now}
        async with self._database.transaction() as connection:
            await connection.execute(put.values(row))
            plans = (await connection.execute(marks_of(_STANDING, now, bulk=True))).rowcount
            await self._recording(connection, deed, now)
            return int(plans)

    async def dead(self, *, since: date, limit: int) -> Sequence[Dead]:
        query = (
            sa.select(LOG)
            .where(LOG.c.nominal_day >= since, LOG.c.outcome == str(Outcome.DEAD))
            .order_by(LOG.c.decided_at.desc(), LOG.c.dedupe_key)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [
                Dead(
                    event_id=row.event_id,
                    task_id=row.task_id,
                    user_id=UserId(row.user_id),
                    firing_class=FiringClass(row.firing_class),
                    due_at=row.due_at,
                    decided_at=row.decided_at,
                    reason=row.reason,
                )
                for row in await connection.execute(query)
            ]

    async def revive(self, event_id: UUID, *, deed: Deed, now: datetime) -> int | None:
        died = LOG.update().where(LOG.c.event_id == event_id, LOG.c.outcome == str(Outcome.DEAD))
        again = died.values(outcome=str(Outcome.SUPERSEDED), reason=PLANNED_OTHERWISE)
        async with self._database.transaction() as connection:
            revived = (await connection.execute(again)).rowcount
            if revived:
                await mark(connection, [event_id], now)
                await self._recording(connection, deed, now)
                return int(revived)
            there = sa.select(EVENTS.c.id).where(EVENTS.c.id == event_id)
            return None if (await connection.execute(there)).first() is None else 0

    async def forecast(self, *, now: datetime, until: datetime) -> Forecast:
        # Naming the shards, those of what is prompt too, lets the index give the rows.
        waiting = FIRINGS.c.shard.in_(range(2 * SHARDS))
        minute = self._database.minute_of(FIRINGS.c.due_at)
        counted = (
            sa.select(minute.label("at"), FIRINGS.c.firing_class, sa.func.count().label("firings"))
            .where(waiting, FIRINGS.c.due_at >= now, FIRINGS.c.due_at < until)
            .group_by(minute, FIRINGS.c.firing_class)
            .order_by(minute, FIRINGS.c.firing_class)
        )
        late = (
            sa.select(
                FIRINGS.c.firing_class,
                sa.func.count().label("firings"),
                sa.func.min(FIRINGS.c.due_at).label("since"),
            )
            .where(waiting, FIRINGS.c.due_at < now)
            .group_by(FIRINGS.c.firing_class)
            .order_by(FIRINGS.c.firing_class)
        )
        async with self._database.reading() as connection:
            minutes = [
                Minute(row.at, FiringClass(row.firing_class), row.firings)
                for row in await connection.execute(counted)
            ]
            waits = [
                Late(FiringClass(row.firing_class), row.firings, row.since)
                for row in await connection.execute(late)
            ]
            return Forecast(minutes, waits)

    async def _done(self, statement: sa.Executable, deed: Deed, now: datetime) -> int:
        """How many rows it changed; what changed none is no deed."""
        async with self._database.transaction() as connection:
            changed = (await connection.execute(statement)).rowcount
            if changed > 0:
                await self._recording(connection, deed, now)
            return int(changed)


_STANDING = sa.select(EVENTS.c.id).where(EVENTS.c.cancelled_at.is_(None))
