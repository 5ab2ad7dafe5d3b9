"""Guests and their answers, in tables."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.ids import UserId
from kernel.paging import Page
from reminders.adapters.guest_columns import (
    GUESTS,
    OPT_OUTS,
    guest_of,
    opted_out,
    times_asked,
)
from reminders.adapters.places import page_of, place_of
from reminders.adapters.plan_marks import marks_of
from reminders.guest import EVERYWHERE, Answer, Guest, Invitation


class SqlGuestStore:
    """One adapter for both databases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def guest(self, guest_id: UUID) -> Guest | None:
        async with self._database.reading() as connection:
            found = await connection.execute(sa.select(GUESTS).where(GUESTS.c.id == guest_id))
            row = found.one_or_none()
        return None if row is None else guest_of(row)

    async def invitation(self, guest_id: UUID) -> Invitation | None:
        opted = opted_out(GUESTS.c.user_id, GUESTS.c.event_id).label("opted_out")
        query = sa.select(GUESTS, times_asked().label("told"), opted).where(GUESTS.c.id == guest_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Invitation(guest_of(row, told=row.told), row.opted_out)

    async def guests_of(
        self, event_id: UUID, part: str, *, cursor: str | None, limit: int
    ) -> Page[Guest]:
        query = (
            sa.select(GUESTS)
            .where(GUESTS.c.event_id == event_id, GUESTS.c.part == part)
            .order_by(GUESTS.c.id)
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(GUESTS.c.id > place_of(cursor)[1])
        async with self._database.reading() as connection:
            rows = list(await connection.execute(query))
        return page_of(rows, guest_of, at="invited_at", limit=limit)

    async def answers(self, event_id: UUID) -> Mapping[str, Mapping[Answer, int]]:
        query = (
            sa.select(GUESTS.c.part, GUESTS.c.answer, sa.func.count().label("guests"))
            .where(GUESTS.c.event_id == event_id)
            .group_by(GUESTS.c.part, GUESTS.c.answer)
        )
        found: dict[str, dict[Answer, int]] = defaultdict(dict)
        async with self._database.reading() as connection:
            for row in await connection.execute(query):
                found[row.part][Answer(row.answer)] = row.guests
        return found

    async def opt_out(self, user_id: UserId, event_id: UUID, *, now: datetime) -> None:
        new = self._database.insert_new(OPT_OUTS, on=["user_id", "event_id"])
        invited = sa.select(GUESTS.c.event_id).where(GUESTS.c.user_id == user_id)
        if event_id != EVERYWHERE:
            invited = invited.where(GUESTS.c.event_id == event_id)
        async with self._database.transaction() as connection:
            row = {"user_id": user_id, "event_id": event_id, "at": now}
            # Whoever has the link may post to it as often as they like.
            if (await connection.execute(new.values(row))).rowcount:
                await connection.execute(marks_of(invited.distinct(), now))
