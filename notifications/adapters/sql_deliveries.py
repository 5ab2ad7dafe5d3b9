"""The outbox of webhooks in a table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database
from kernel.ids import new_id
from notifications.adapters import webhook_news
from notifications.adapters.batches import storable
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.sql_webhooks import WEBHOOKS, row_of, webhook_of
from notifications.adapters.webhook_listening import takes
from notifications.adapters.webhook_turns import DELIVERIES, INSTANT, claiming, newest
from notifications.audit.types import SYSTEM, Deed
from notifications.webhooks.faring import after_failure, well
from notifications.webhooks.types import (
    Answer,
    Delivery,
    DeliveryState,
    HeldDelivery,
    NewsKind,
    Webhook,
)


class SqlDeliveries:
    """A delivery that is held is due again when its lease ends."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def gather(self, *, now: datetime, limit: int) -> int:
        async with self._database.transaction() as connection:
            if not await webhook_news.is_any(connection):
                return 0
            most = 0
            # Held, so that what is gathered after something was gathered before it also.
            webhooks = await _enabled(connection)
            deliveries: list[tuple[Webhook, NewsKind, str]] = []
            for kind, look in _NEWS.items():
                found = await look(connection, limit)
                most = max(most, len(found))
                for webhook in webhooks:
                    if kind not in webhook.kinds:
                        continue
                    its = [each.event for each in found if takes(webhook.selection, each.push)]
                    if its:
                        deliveries.append((webhook, kind, msgspec.json.encode(its).decode()))
            if deliveries:
                after = await newest(connection, {webhook.id for webhook, _, _ in deliveries})
                rows = []
                for webhook, kind, body in deliveries:
                    delivery = _delivery(webhook, kind, body, now)
                    if webhook.id in after:
                        made_at = max(now, after[webhook.id] + INSTANT)
                        delivery = replace(delivery, created_at=made_at)
                    after[webhook.id] = delivery.created_at
                    rows.append(_row(delivery))
                await connection.execute(DELIVERIES.insert(), rows)
            return most

    async def add(self, delivery: Delivery) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(DELIVERIES.insert(), [_row(delivery)])

    async def claim(
        self,
        *,
        now: datetime,
        lease: timedelta,
        limit: int,
        busy: Mapping[UUID, int] = MappingProxyType({}),
    ) -> Sequence[HeldDelivery]:
        async with self._database.reading() as connection:
            due = sa.exists().where(
                DELIVERIES.c.webhook_id == WEBHOOKS.c.id, DELIVERIES.c.due_at <= now
            )
            rested = sa.or_(WEBHOOKS.c.resting_until.is_(None), WEBHOOKS.c.resting_until <= now)
            waiting = sa.select(WEBHOOKS).where(WEBHOOKS.c.enabled, rested, due)
            rows = await connection.execute(waiting.order_by(WEBHOOKS.c.id))
            webhooks = [webhook_of(row) for row in rows]
        held: list[HeldDelivery] = []
        for webhook in webhooks:
            # One that failed is tried with a single delivery until it answers well.
            most = limit if webhook.failing_since is None else 1
            room = most - busy.get(webhook.id, 0)
            if room < 1:
                continue
            async with self._database.transaction() as connection:
                rows = await connection.execute(claiming(webhook, now, lease, room))
                held += [HeldDelivery(_delivery_of(row), webhook, row.fence) for row in rows]
        return held

    async def settle(
        self,
        held: HeldDelivery,
        answer: Answer,
        state: DeliveryState,
        *,
        due_at: datetime | None,
        patience: timedelta,
        now: datetime,
    ) -> Webhook | None:
        settling = (
            DELIVERIES.update()
            .where(DELIVERIES.c.id == held.delivery.id, DELIVERIES.c.fence == held.fence)
            .values(
                state=state,
                due_at=due_at,
                status=answer.status,
                error=storable(answer.error),
                settled_at=None if state is DeliveryState.WAITING else now,
            )
        )
        async with self._database.transaction() as connection:
            webhook = await _concerned(connection, held.webhook.id, answer)
            if (await connection.execute(settling)).rowcount == 0:
                return None
            if webhook is None:
                return held.webhook
            return await _learn(connection, webhook, answer, now=now, patience=patience)

    async def page(
        self, webhook_id: UUID, *, state: DeliveryState | None, before: UUID | None, limit: int
    ) -> Sequence[Delivery]:
        newest = (
            sa.select(DELIVERIES)
            .where(DELIVERIES.c.webhook_id == webhook_id)
            .order_by(DELIVERIES.c.id.desc())
            .limit(limit)
        )
        if state is not None:
            newest = newest.where(DELIVERIES.c.state == state)
        if before is not None:
            newest = newest.where(DELIVERIES.c.id < before)
        async with self._database.reading() as connection:
            return [_delivery_of(row) for row in await connection.execute(newest)]

    async def again(self, delivery_id: UUID, *, now: datetime, deed: Deed) -> Delivery | None:
        repeating = (
            DELIVERIES.update()
            .where(DELIVERIES.c.id == delivery_id)
            .values(state=DeliveryState.WAITING, due_at=now, settled_at=None)
            .returning(DELIVERIES)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(repeating)).one_or_none()
            if row is None:
                return None
            await write_audit(connection, [deed], now)
            return _delivery_of(row)

    async def prune(self, *, now: datetime, before: datetime, over: datetime, limit: int) -> int:
        late = (
            sa.select(DELIVERIES.c.id)
            .where(DELIVERIES.c.created_at < over, DELIVERIES.c.due_at <= over)
            .order_by(DELIVERIES.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        giving_up = (
            DELIVERIES.update()
            .where(DELIVERIES.c.id.in_(late))
            .values(state=DeliveryState.FAILED, due_at=None, settled_at=now)
        )
        old = (
            sa.select(DELIVERIES.c.id)
            .where(DELIVERIES.c.created_at < before, DELIVERIES.c.due_at.is_(None))
            .order_by(DELIVERIES.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            await connection.execute(giving_up)
            deleting = DELIVERIES.delete().where(DELIVERIES.c.id.in_(old))
            return (await connection.execute(deleting)).rowcount


async def _concerned(
    connection: AsyncConnection, webhook_id: UUID, answer: Answer
) -> Webhook | None:
    """The webhook, locked, if the answer changes how it fares: not as long as all is well."""
    its = sa.select(WEBHOOKS).where(WEBHOOKS.c.id == webhook_id)
    if answer.is_good:
        its = its.where(WEBHOOKS.c.failing_since.is_not(None))
    row = (await connection.execute(its.with_for_update(key_share=True))).one_or_none()
    return None if row is None else webhook_of(row)


async def _learn(
    connection: AsyncConnection, was: Webhook, answer: Answer, *, now: datetime, patience: timedelta
) -> Webhook:
    failing = partial(after_failure, was, answer, now=now, patience=patience)
    fares = well(was) if answer.is_good else failing()
    await connection.execute(WEBHOOKS.update().where(WEBHOOKS.c.id == was.id).values(row_of(fares)))
    if was.enabled and not fares.enabled:
        details = {"reason": fares.disabled_reason}
        deed = Deed(SYSTEM, "webhook.disabled", f"webhook:{was.id}", details=details)
        await write_audit(connection, [deed], now)
    return fares


_NEWS = {NewsKind.OUTCOMES: webhook_news.outcomes, NewsKind.REPORTS: webhook_news.reports}


async def _enabled(connection: AsyncConnection) -> Sequence[Webhook]:
    """Who is told, held until the end of the transaction."""
    enabled = sa.select(WEBHOOKS).where(WEBHOOKS.c.enabled).order_by(WEBHOOKS.c.id)
    rows = await connection.execute(enabled.with_for_update(key_share=True))
    return [webhook_of(row) for row in rows]


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
