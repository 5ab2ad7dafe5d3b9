"""Comparing the waiting firings with what would be planned now, in tables."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database
from reminders.adapters.mapping import EVENTS, MARKS, event_of
from reminders.adapters.plan_inputs import inputs_of, record_of, waiting_of
from reminders.comparing import Compared, Plan


class SqlPlanStore:
    """The event's row is held, as the planner does, so that nothing changes while it is read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def compare(self, after: UUID, plan: Plan, *, now: datetime) -> Compared | None:
        following = (
            sa.select(EVENTS)
            .where(EVENTS.c.id > after, EVENTS.c.cancelled_at.is_(None))
            .order_by(EVENTS.c.id)
            .limit(1)
            .with_for_update(key_share=True)
        )
        async with self._database.transaction() as connection:
            found = (await connection.execute(following)).one_or_none()
            if found is None:
                return None
            marked = sa.select(MARKS.c.id).where(MARKS.c.event_id == found.id).limit(1)
            if (await connection.execute(marked)).first() is not None:
                return Compared(found.id)
            waiting = await waiting_of(connection, [found.id])
            (inputs,) = await inputs_of(connection, [event_of(found)], waiting)
            wanted = {
                firing.dedupe_key: firing.due_at for firing in plan(inputs, found.planned_until)
            }
            record = await record_of(connection, [found.id])
            there, over = waiting[found.id].keys(), record[found.id].settled
        missing = {key for key, due_at in wanted.items() if due_at > now} - there - over
        # One that went off since it was read here is in both for a moment.
        return Compared(found.id, len(missing), len(there - wanted.keys() - over))
