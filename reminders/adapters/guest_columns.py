"""Guests: values to columns and back."""

from typing import Any

import sqlalchemy as sa

from kernel.adapters.database import table_of
from kernel.ids import UserId
from reminders.adapters.guest_tables import GuestRow, OptOutRow
from reminders.adapters.mapping import LOG, Columns, Selected
from reminders.firing import Outcome
from reminders.guest import EVERYWHERE, Answer, Guest

GUESTS = table_of(GuestRow)
OPT_OUTS = table_of(OptOutRow)


def columns_of_guest(guest: Guest) -> Columns:
    return {
        "id": guest.id,
        "event_id": guest.event_id,
        "user_id": guest.user_id,
        "part": guest.part,
        "invited_at": guest.invited_at,
        "answer": str(guest.answer),
        "answered_at": guest.answered_at,
    }


def guest_of(row: Selected, *, told: int = 0) -> Guest:
    return Guest(
        id=row.id,
        event_id=row.event_id,
        user_id=UserId(row.user_id),
        part=row.part,
        invited_at=row.invited_at,
        answer=Answer(row.answer),
        answered_at=row.answered_at,
        told=told,
    )


def opted_out(user_id: Any, event_id: Any) -> sa.ColumnElement[bool]:
    """Whether the user does not want to be asked: in this event, or at all."""
    return sa.exists().where(
        OPT_OUTS.c.user_id == user_id, OPT_OUTS.c.event_id.in_([event_id, EVERYWHERE])
    )


def times_asked() -> sa.ScalarSelect[int]:
    """How often a guest of `GUESTS` was asked."""
    return (
        sa.select(sa.func.count())
        .select_from(LOG)
        .where(
            LOG.c.event_id == GUESTS.c.event_id,
            LOG.c.task_id == GUESTS.c.id,
            LOG.c.outcome == str(Outcome.FIRED),
        )
        .correlate(GUESTS)
        .scalar_subquery()
    )
