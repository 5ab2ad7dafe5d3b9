"""What was told is taken back, in the transaction that makes it untrue."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.ids import UserId
from kernel.notices import Recall, recall_entry
from kernel.outbox import Entry
from reminders.adapters.action_rows import TOGETHER
from reminders.adapters.mapping import EVENTS, FIRINGS, LOG, TASKS
from reminders.adapters.sql_alarms import tell_holders
from reminders.adapters.superseding import remove
from reminders.firing import Outcome
from reminders.identity import collapse_key, notice_key, shared_key, shared_notice_key
from reminders.ports import TakeBack

SHOWN = timedelta(days=7)
"""So long a reminder may lie on a lock screen."""

CLOCKS_DIFFER = timedelta(seconds=5)
"""What another node may have said a little before its time, as this one sees it."""


async def take_back(
    connection: AsyncConnection, event_id: UUID, change: TakeBack, now: datetime
) -> Sequence[Entry]:
    """Remove what waits, if it is over; the entries that recall what went off.

    Removing waits for whoever has a firing in hand, so what went off meanwhile is seen below.
    """
    if change.together is not None and change.user_id is not None:
        return [recall_entry(_shared(change.user_id, change.together, change))]
    if change.over:
        first: dict[str, datetime] = {}
        for row in await remove(connection, _about(FIRINGS, event_id, change), now):
            first[row.user_id] = min(row.due_at, first.get(row.user_id, row.due_at))
        await tell_holders(connection, first, now)
    told = [_alone(event_id, change, now)]
    if change.over:
        told.append(_all_over(event_id, change, now))
    return [
        recall_entry((_shared if shared else _own)(UserId(user_id), key, change))
        for shared, user_id, key in await connection.execute(sa.union_all(*told))
    ]


def _alone(event_id: UUID, change: TakeBack, now: datetime) -> sa.Select[Any]:
    """What was told in notices of its own."""
    return sa.select(sa.literal(False).label("shared"), LOG.c.user_id, LOG.c.dedupe_key).where(
        *_about(LOG, event_id, change),
        LOG.c.outcome == str(Outcome.FIRED),
        # What was told with others has no notice of its own.
        LOG.c.reason == "",
        LOG.c.decided_at >= now - SHOWN,
        # What is handed over ahead of its time is not said yet, and judged again when it is.
        LOG.c.due_at <= now + CLOCKS_DIFFER,
    )


def _all_over(event_id: UUID, change: TakeBack, now: datetime) -> sa.Select[Any]:
    """What was told with others is taken back with the last of them: when nothing is left of it
    but what is over now."""
    others, task, event = TOGETHER.alias("others"), TASKS.alias("task"), EVENTS.alias("event")
    still_open = (
        sa.exists()
        .select_from(
            others.join(task, task.c.id == others.c.task_id).join(
                event, event.c.id == task.c.event_id
            )
        )
        .where(
            others.c.first_key == TOGETHER.c.first_key,
            sa.not_(sa.and_(*_about(others, event_id, change))),
            task.c.done_at.is_(None),
            task.c.deleted_at.is_(None),
            event.c.cancelled_at.is_(None),
        )
    )
    return (
        sa.select(sa.literal(True).label("shared"), TOGETHER.c.user_id, TOGETHER.c.first_key)
        .where(*_about(TOGETHER, event_id, change), TOGETHER.c.told_at >= now - SHOWN, ~still_open)
        .distinct()
    )


def _own(user_id: UserId, key: bytes, change: TakeBack) -> Recall:
    return Recall(
        user_id=user_id,
        notice=notice_key(key),
        collapse_key=collapse_key(key),
        device_id=change.device_id,
    )


def _shared(user_id: UserId, first_key: bytes, change: TakeBack) -> Recall:
    return Recall(
        user_id=user_id,
        notice=shared_notice_key(first_key),
        collapse_key=shared_key(first_key),
        device_id=change.device_id,
    )


def _about(table: sa.FromClause, event_id: UUID, change: TakeBack) -> list[sa.ColumnElement[bool]]:
    about = [table.c.event_id == event_id]
    if change.task_id is not None:
        about.append(table.c.task_id == change.task_id)
    if change.user_id is not None:
        about.append(table.c.user_id == change.user_id)
    return about
