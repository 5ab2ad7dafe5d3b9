"""Whose turn it is: the order in which the deliveries of one webhook are told.

Outcomes wait for nothing. Reports wait for whatever was gathered before them, so that nobody
hears that a push was opened before it was accepted.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import table_of
from notifications.adapters.webhook_tables import DeliveryRow
from notifications.webhooks.types import NewsKind, Webhook

DELIVERIES = table_of(DeliveryRow)

IN_ORDER = 8
"""How often a delivery is tried before those after it wait for it no longer: some 20 minutes."""

INSTANT = timedelta(microseconds=1)
"""Deliveries of a webhook are told apart by when they were made."""


async def newest(
    connection: AsyncConnection, webhook_ids: Collection[UUID]
) -> dict[UUID, datetime]:
    """When the newest delivery was made that each of them still waits for."""
    found: dict[UUID, datetime] = {}
    for webhook_id in webhook_ids:
        latest = sa.select(sa.func.max(DELIVERIES.c.created_at)).where(*_outstanding(webhook_id))
        if (at := await connection.scalar(latest)) is not None:
            found[webhook_id] = at
    return found


def _outstanding(webhook_id: UUID) -> Sequence[sa.ColumnElement[bool]]:
    return DELIVERIES.c.webhook_id == webhook_id, DELIVERIES.c.due_at.is_not(None)


def claiming(webhook: Webhook, now: datetime, lease: timedelta, limit: int) -> Any:
    first = (
        sa.select(sa.func.min(DELIVERIES.c.created_at))
        .where(
            *_outstanding(webhook.id),
            DELIVERIES.c.kind != NewsKind.TEST,
            DELIVERIES.c.attempts <= IN_ORDER,
        )
        .scalar_subquery()
    )
    in_turn = sa.or_(
        DELIVERIES.c.kind != NewsKind.REPORTS,
        DELIVERIES.c.attempts > IN_ORDER,
        DELIVERIES.c.created_at <= first,
    )
    due = (
        sa.select(DELIVERIES.c.id)
        .where(DELIVERIES.c.webhook_id == webhook.id, DELIVERIES.c.due_at <= now, in_turn)
        .order_by(DELIVERIES.c.due_at, DELIVERIES.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return (
        DELIVERIES.update()
        .where(DELIVERIES.c.id.in_(sa.select(due.c.id)))
        .values(
            due_at=now + lease,
            fence=DELIVERIES.c.fence + 1,
            attempts=DELIVERIES.c.attempts + 1,
        )
        .returning(DELIVERIES)
    )
