"""What webhooks are told: events, from the rows that hold them.

Each look marks what it found as told, in its own transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.sql_reports import REPORTS
from notifications.adapters.tables import NO_DEVICE, UNTOLD
from notifications.adapters.webhook_listening import origin_of_push
from notifications.reports.types import ReportEvent


@dataclass(frozen=True, slots=True)
class News:
    """An event, and the columns of its push by which webhooks choose."""

    push: Any
    event: Mapping[str, Any]


_CHOSEN_BY = (PUSHES.c.send_id, PUSHES.c.campaign_id, PUSHES.c.urgency, PUSHES.c.category)

_IN_ORDER = sa.case(
    {event.value: place for place, event in enumerate(ReportEvent)}, value=REPORTS.c.event
)


async def is_any(connection: AsyncConnection) -> bool:
    """Whether there may be anything that nobody was told of."""
    pushes = sa.exists().select_from(PUSHES).where(sa.text(UNTOLD))
    reports = sa.exists().select_from(REPORTS).where(sa.text("reports.untold"))
    return bool(await connection.scalar(sa.select(sa.or_(pushes, reports))))


async def outcomes(connection: AsyncConnection, limit: int) -> Sequence[News]:
    """Pushes that came to their end and nobody was told of; from now on they are told."""
    untold = (
        sa.select(
            *_CHOSEN_BY,
            PUSHES.c.id,
            PUSHES.c.notification_id,
            PUSHES.c.user_id,
            PUSHES.c.device_id,
            PUSHES.c.app_id,
            PUSHES.c.route,
            PUSHES.c.state,
            PUSHES.c.reason,
            PUSHES.c.attempts,
            PUSHES.c.settled_at,
        )
        .where(sa.text(UNTOLD))
        .order_by(PUSHES.c.settled_at, PUSHES.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(await connection.execute(untold))
    if rows:
        told = among(connection, PUSHES.c.id, [row.id for row in rows])
        await connection.execute(PUSHES.update().where(told).values(untold=False))
    return [
        News(
            row,
            {
                **_of_push(row),
                "push_id": row.id,
                "notification_id": row.notification_id,
                "user_id": row.user_id or None,
                "device_id": None if row.device_id == NO_DEVICE else row.device_id,
                "app_id": row.app_id,
                "route": row.route,
                "state": row.state,
                "reason": row.reason,
                "attempts": row.attempts,
                "settled_at": row.settled_at,
            },
        )
        for row in rows
    ]


async def reports(connection: AsyncConnection, limit: int) -> Sequence[News]:
    """Reports that nobody was told of; from now on they are told.

    Those of a push of whose outcome somebody is still to be told come after it; those that came
    at the same time, as devices send what they kept, in the order of a push's life.
    """
    untold = (
        sa.select(
            *_CHOSEN_BY, REPORTS.c.push_id, REPORTS.c.event, REPORTS.c.at, REPORTS.c.reported_at
        )
        .join_from(REPORTS, PUSHES, PUSHES.c.id == REPORTS.c.push_id)
        .where(sa.text("reports.untold"), ~PUSHES.c.untold)
        .order_by(REPORTS.c.reported_at, REPORTS.c.push_id, _IN_ORDER)
        .limit(limit)
        .with_for_update(skip_locked=True, of=REPORTS)
    )
    rows = list(await connection.execute(untold))
    if rows:
        # There are three events: as many statements, however many reports.
        for event in sorted({row.event for row in rows}):
            of_event = [row.push_id for row in rows if row.event == event]
            told = among(connection, REPORTS.c.push_id, of_event)
            await connection.execute(
                REPORTS.update().where(REPORTS.c.event == event, told).values(untold=False)
            )
    return [
        News(
            row,
            {
                **_of_push(row),
                "push_id": row.push_id,
                "event": row.event,
                "at": row.at,
                "reported_at": row.reported_at,
            },
        )
        for row in rows
    ]


def _of_push(row: Any) -> Mapping[str, Any]:
    return {
        "origin": origin_of_push(row),
        "send_id": row.send_id,
        "campaign_id": row.campaign_id,
        "category": row.category,
        "urgency": row.urgency,
    }
