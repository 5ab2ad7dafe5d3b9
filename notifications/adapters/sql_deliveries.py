"""The outbox of webhooks in a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.ids import new_id
from notifications.adapters import webhook_news
from notifications.adapters.batches import storable
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.sql_webhooks import WEBHOOKS, webhook_of
from notifications.adapters.webhook_tables import DeliveryRow
from notifications.audit.types import Deed
from notifications.webhooks.types import (
    Answer,
    Delivery,
    DeliveryState,
    HeldDelivery,
    NewsKind,
    Webhook,
)

_DELIVERIES = table_of(DeliveryRow)


class SqlDeliveries:
    """A delivery that is held is due again when its lease ends."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def gather(self, *, now: datetime, limit: int) -> int:
        async with self._database.transaction() as connection:
            told = 0
            for kind, look in _NEWS.items():
                body = await look(connection, limit)
                if body is None:
                    continue
                told += 1
                rows = [
                    _row(_delivery(webhook, kind, body, now))
                    for webhook in await _enabled(connection)
                    if kind in webhook.kinds
                ]
                if rows:
                    await connection.execute(_DELIVERIES.insert(), rows)
            return told

    async def add(self, delivery: Delivery) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(_DELIVERIES.insert(), [_row(delivery)])

    async def claim(self, *, now: datetime, lease: timedelta, limit: int) -> Sequence[HeldDelivery]:
        async with self._database.reading() as connection:
            due = sa.exists().where(
                _DELIVERIES.c.webhook_id == WEBHOOKS.c.id, _DELIVERIES.c.due_at <= now
            )
            waiting = sa.select(WEBHOOKS).where(WEBHOOKS.c.enabled, due).order_by(WEBHOOKS.c.id)
            webhooks = [webhook_of(row) for row in await connection.execute(waiting)]
        held: list[HeldDelivery] = []
        for webhook in webhooks:
            async with self._database.transaction() as connection:
                rows = await connection.execute(_claiming(webhook, now, lease, limit))
                held += [HeldDelivery(_delivery_of(row), webhook, row.fence) for row in rows]
        return held

    async def settle(
        self,
        held: HeldDelivery,
        answer: Answer,
        state: DeliveryState,
        *,
        due_at: datetime | None,
        now: datetime,
    ) -> bool:
        settling = (
            _DELIVERIES.update()
            .where(_DELIVERIES.c.id == held.delivery.id, _DELIVERIES.c.fence == held.fence)
            .values(
                state=state,
                due_at=due_at,
                status=answer.status,
                error=storable(answer.error),
                settled_at=None if state is DeliveryState.WAITING else now,
            )
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(settling)).rowcount == 1

    async def page(
        self, webhook_id: UUID, *, state: DeliveryState | None, before: UUID | None, limit: int
    ) -> Sequence[Delivery]:
        newest = (
            sa.select(_DELIVERIES)
            .where(_DELIVERIES.c.webhook_id == webhook_id)
            .order_by(_DELIVERIES.c.id.desc())
            .limit(limit)
        )
        if state is not None:
            newest = newest.where(_DELIVERIES.c.state == state)
        if before is not None:
            newest = newest.where(_DELIVERIES.c.id < before)
        async with self._database.reading() as connection:
            return [_delivery_of(row) for row in await connection.execute(newest)]

    async def again(self, delivery_id: UUID, *, now: datetime, deed: Deed) -> Delivery | None:
        repeating = (
            _DELIVERIES.update()
            .where(_DELIVERIES.c.id == delivery_id)
            .values(state=DeliveryState.WAITING, due_at=now, settled_at=None)
            .returning(_DELIVERIES)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(repeating)).one_or_none()
            if row is None:
                return None
            await write_audit(connection, [deed], now)
            return _delivery_of(row)

    async def prune(self, *, before: datetime, limit: int) -> int:
        old = (
            sa.select(_DELIVERIES.c.id)
            .where(_DELIVERIES.c.created_at < before, _DELIVERIES.c.due_at.is_(None))
            .order_by(_DELIVERIES.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            deleting = _DELIVERIES.delete().where(_DELIVERIES.c.id.in_(old))
            return (await connection.execute(deleting)).rowcount


_NEWS = {NewsKind.OUTCOMES: webhook_news.outcomes, NewsKind.REPORTS: webhook_news.reports}


async def _enabled(connection: AsyncConnection) -> Sequence[Webhook]:
    enabled = sa.select(WEBHOOKS).where(WEBHOOKS.c.enabled).order_by(WEBHOOKS.c.id)
    return [webhook_of(row) for row in await connection.execute(enabled)]


def _claiming(webhook: Webhook, now: datetime, lease: timedelta, limit: int) -> Any:
    due = (
        sa.select(_DELIVERIES.c.id)
        .where(_DELIVERIES.c.webhook_id == webhook.id, _DELIVERIES.c.due_at <= now)
        .order_by(_DELIVERIES.c.due_at, _DELIVERIES.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return (
        _DELIVERIES.update()
        .where(_DELIVERIES.c.id.in_(sa.select(due.c.id)))
        .values(
            due_at=now + lease,
            fence=_DELIVERIES.c.fence + 1,
            attempts=_DELIVERIES.c.attempts + 1,
        )
        .returning(_DELIVERIES)
    )


def _delivery(webhook: Webhook, kind: NewsKind, body: str, now: datetime) -> Delivery:
    return Delivery(
        id=new_id(now),
        webhook_id=webhook.id,
        kind=kind,
        body=body,
        created_at=now,
        state=DeliveryState.WAITING,
        attempts=0,
        due_at=now,
        status=0,
        error="",
        settled_at=None,
    )


def _row(delivery: Delivery) -> Mapping[str, Any]:
    told = {name: getattr(delivery, name) for name in delivery.__slots__}
    return {**told, "fence": 0}


def _delivery_of(row: sa.Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        kind=NewsKind(row.kind),
        body=row.body,
        created_at=row.created_at,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        status=row.status,
        error=row.error,
        settled_at=row.settled_at,
    )
