"""Marking plans: those of some events, or of many at once."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from reminders.adapters.mapping import MARKS

_MARK = MARKS.insert()


async def mark(connection: AsyncConnection, event_ids: Collection[UUID], now: datetime) -> None:
    """Have the plans of these events made again."""
    if event_ids:
        marks = [{"event_id": each, "marked_at": now} for each in event_ids]
        await connection.execute(_MARK, marks)


def marks_of(events: sa.Select[Any], now: datetime, *, bulk: bool = False) -> sa.Insert:
    """Mark the events whose ids are selected; `bulk` if there are so many that they can wait."""
    marked = events.add_columns(
        sa.literal(now, MARKS.c.marked_at.type), sa.true() if bulk else sa.false()
    )
    return MARKS.insert().from_select(["event_id", "marked_at", "bulk"], marked)
