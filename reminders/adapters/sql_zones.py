"""What the rules of the zones in use were, in a table."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kernel.adapters.database import Database
from reminders.adapters.guest_columns import GUESTS
from reminders.adapters.mapping import (
    EVENTS,
    MEMBERS,
    PEOPLE,
    RULES,
    TASKS,
    ZONE_STATES,
    anchors_of,
)
from reminders.adapters.plan_marks import marks_of
from reminders.zone_state import ZoneState


class SqlZoneStore:
    """One adapter for both databases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def zones(self) -> Collection[str]:
        named = sa.union(
            sa.select(EVENTS.c.zone),
            sa.select(PEOPLE.c.zone),
            sa.select(PEOPLE.c.device_zone),
            sa.select(TASKS.c.due_zone),
            sa.select(RULES.c.zone),
        )
        parts = sa.select(EVENTS.c.anchors).where(_has_part_in("")).distinct()
        async with self._database.reading() as connection:
            found = set((await connection.execute(named)).scalars())
            for text in (await connection.execute(parts)).scalars():
                found |= {part.zone for part in anchors_of(text)}
        return {zone for zone in found if zone}

    async def zone_states(self) -> Sequence[ZoneState]:
        async with self._database.reading() as connection:
            rows = await connection.execute(sa.select(ZONE_STATES))
            return [ZoneState(row.zone, row.since, row.fingerprint, row.version) for row in rows]

    async def put_zone_states(
        self, states: Sequence[ZoneState], *, changed: Collection[str], now: datetime
    ) -> int:
        put = self._database.upsert(
            ZONE_STATES, on=["zone"], update=["since", "fingerprint", "version", "checked_at"]
        )
        rows = [
            {
                "zone": state.zone,
                "since": state.since,
                "fingerprint": state.fingerprint,
                "version": state.version,
                "checked_at": now,
            }
            for state in states
        ]
        async with self._database.transaction() as connection:
            if rows:
                await connection.execute(put, rows)
            if not changed:
                return 0
            touched = sa.select(_touched_by(changed).c.event_id)
            return (await connection.execute(marks_of(touched, now, bulk=True))).rowcount


def _touched_by(zones: Collection[str]) -> sa.Subquery[Any]:
    """The events whose plans one of the zones is part of."""
    placed = sa.or_(EVENTS.c.zone.in_(zones), *map(_has_part_in, zones))
    events = sa.select(EVENTS.c.id.label("event_id")).where(placed)
    there = sa.or_(PEOPLE.c.zone.in_(zones), PEOPLE.c.device_zone.in_(zones))
    people = [
        sa.select(each.c.event_id).join(PEOPLE, PEOPLE.c.user_id == each.c.user_id).where(there)
        for each in (MEMBERS, GUESTS)
    ]
    tasks = sa.select(TASKS.c.event_id).where(TASKS.c.due_zone.in_(zones))
    rules = sa.select(RULES.c.event_id).where(RULES.c.zone.in_(zones))
    return sa.union(events, *people, tasks, rules).subquery()


def _has_part_in(zone: str) -> sa.ColumnElement[bool]:
    """Whether a part of the event has a zone of its own that begins so, as its JSON has it."""
    return EVENTS.c.anchors.contains(f'"zone":"{zone}', autoescape=True)
