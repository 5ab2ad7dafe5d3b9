"""What webhooks are told: events as JSON, from the rows that hold them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from notifications.adapters.push_rows import PUSHES
from notifications.adapters.sql_reports import REPORTS
from notifications.adapters.tables import NO_DEVICE, UNTOLD


async def outcomes(connection: AsyncConnection, limit: int) -> str | None:
    """Pushes that came to their end and nobody was told of; from now on they are told."""
    untold = (
        sa.select(PUSHES)
        .where(sa.text(UNTOLD))
        .order_by(PUSHES.c.settled_at, PUSHES.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(await connection.execute(untold))
    if not rows:
        return None
    told = PUSHES.update().where(PUSHES.c.id == sa.bindparam("push_id")).values(untold=False)
    await connection.execute(told, [{"push_id": row.id} for row in rows])
    return _json(
        [
            {
                "send_id": row.send_id,
                "push_id": row.id,
                "notification_id": row.notification_id,
                "user_id": row.user_id or None,
                "device_id": None if row.device_id == NO_DEVICE else row.device_id,
                "route": row.route,
                "state": row.state,
                "reason": row.reason,
                "attempts": row.attempts,
                "settled_at": row.settled_at,
            }
            for row in rows
        ]
    )


async def reports(connection: AsyncConnection, limit: int) -> str | None:
    """Reports that nobody was told of; from now on they are told."""
    untold = (
        sa.select(REPORTS)
        .where(sa.text("untold"))
        .order_by(REPORTS.c.reported_at, REPORTS.c.push_id, REPORTS.c.event)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(await connection.execute(untold))
    if not rows:
        return None
    told = (
        REPORTS.update()
        .where(
            REPORTS.c.push_id == sa.bindparam("of_push"),
            REPORTS.c.event == sa.bindparam("of_event"),
        )
        .values(untold=False)
    )
    await connection.execute(
        told, [{"of_push": row.push_id, "of_event": row.event} for row in rows]
    )
    return _json(
        [
            {
                "send_id": row.send_id,
                "push_id": row.push_id,
                "event": row.event,
                "at": row.at,
                "reported_at": row.reported_at,
            }
            for row in rows
        ]
    )


def _json(events: Sequence[dict[str, Any | datetime]]) -> str:
    return msgspec.json.encode(events).decode()
