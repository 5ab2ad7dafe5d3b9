"""What there may be only so much of, counted while no more of it can come to be."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.alone import alone_with
from kernel.ids import UserId
from reminders.adapters.guest_columns import GUESTS
from reminders.adapters.mapping import EVENTS, MEMBERS, TASKS, details_of
from reminders.guest import Guest
from reminders.ports import Counted, OtherGuests, OtherSnoozes

_SNOOZED = TASKS.c.details.contains('"snoozes":[{')
"""As JSON is written: in what people write a quotation mark has a backslash before it."""


async def count_others(
    connection: AsyncConnection, counted: Counted | None, *, but_for: UUID | None, now: datetime
) -> int:
    """How many there are beside what is decided about. The caller holds the event."""
    match counted:
        case None:
            return 0
        case OtherGuests(guest):
            return await _guests(connection, guest)
        case OtherSnoozes(user_id):
            # Their tasks are in many events, of which others may hold some.
            await alone_with(connection, f"snoozes:{user_id}")
            return await _snoozes(connection, user_id, but_for, now)


async def _guests(connection: AsyncConnection, guest: Guest) -> int:
    query = sa.select(sa.func.count()).where(
        GUESTS.c.event_id == guest.event_id, GUESTS.c.part == guest.part, GUESTS.c.id != guest.id
    )
    return int((await connection.execute(query)).scalar_one())


async def _snoozes(
    connection: AsyncConnection, user_id: UserId, but_for: UUID | None, now: datetime
) -> int:
    query = (
        sa.select(TASKS.c.details)
        .join(MEMBERS, MEMBERS.c.event_id == TASKS.c.event_id)
        .join(EVENTS, EVENTS.c.id == TASKS.c.event_id)
        .where(
            MEMBERS.c.user_id == user_id,
            EVENTS.c.cancelled_at.is_(None),
            TASKS.c.id != but_for,
            TASKS.c.done_at.is_(None),
            TASKS.c.deleted_at.is_(None),
            _SNOOZED,
        )
    )
    found = (await connection.execute(query)).scalars()
    return sum(
        any(each.user_id == user_id and each.at > now for each in details_of(text).snoozes)
        for text in found
    )
