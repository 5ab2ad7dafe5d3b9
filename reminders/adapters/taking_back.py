"""What was told is taken back, in the transaction that makes it untrue."""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.sql_outbox import write_entries
from kernel.ids import UserId
from kernel.notices import Recall, recall_entry
from reminders.adapters.mapping import FIRINGS, LOG
from reminders.adapters.sql_alarms import tell_holders
from reminders.firing import Outcome
from reminders.identity import collapse_key, notice_key
from reminders.ports import TakeBack

SHOWN = timedelta(days=7)
"""So long a reminder may lie on a lock screen."""

CLOCKS_DIFFER = timedelta(seconds=5)
"""What another node may have said a little before its time, as this one sees it."""


async def take_back(
    connection: AsyncConnection, event_id: UUID, change: TakeBack, now: datetime
) -> None:
    """Remove what waits, if it is over, and recall what went off.

    Removing waits for whoever has a firing in hand, so what went off meanwhile is seen below.
    """
    if change.over:
        removing = FIRINGS.delete().where(*_about(FIRINGS, event_id, change))
        first: dict[str, datetime] = {}
        for row in await connection.execute(
            removing.returning(FIRINGS.c.user_id, FIRINGS.c.due_at)
        ):
            first[row.user_id] = min(row.due_at, first.get(row.user_id, row.due_at))
        await tell_holders(connection, first, now)
    told = sa.select(LOG.c.user_id, LOG.c.dedupe_key).where(
        *_about(LOG, event_id, change),
        LOG.c.outcome == str(Outcome.FIRED),
        # What was told with others has no notice of its own.
        LOG.c.reason == "",
        LOG.c.decided_at >= now - SHOWN,
        # What is handed over ahead of its time is not said yet, and judged again when it is.
        LOG.c.due_at <= now + CLOCKS_DIFFER,
    )
    recalls = [
        Recall(
            user_id=UserId(row.user_id),
            notice=notice_key(row.dedupe_key),
            collapse_key=collapse_key(row.dedupe_key),
            device_id=change.device_id,
        )
        for row in await connection.execute(told)
    ]
    await write_entries(connection, [recall_entry(each) for each in recalls], now)


def _about(table: sa.Table, event_id: UUID, change: TakeBack) -> list[sa.ColumnElement[bool]]:
    about = [table.c.event_id == event_id]
    if change.task_id is not None:
        about.append(table.c.task_id == change.task_id)
    if change.user_id is not None:
        about.append(table.c.user_id == change.user_id)
    return about
