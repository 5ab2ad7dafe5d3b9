"""Webhooks in a table."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.webhook_tables import WebhookRow
from notifications.audit.types import Deed
from notifications.webhooks.types import NewsKind, Webhook

WEBHOOKS = table_of(WebhookRow)

_kinds = msgspec.json.Decoder(frozenset[NewsKind])


class SqlWebhooks:
    """Few rows, read as often as anything is told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, webhook: Webhook, *, now: datetime, deed: Deed) -> None:
        row = {
            "id": webhook.id,
            "url": webhook.url,
            "kinds": msgspec.json.encode(sorted(webhook.kinds)).decode(),
            "secret": webhook.secret,
            "former_secret": webhook.former_secret,
            "former_until": webhook.former_until,
            "created_at": webhook.created_at,
            "enabled": webhook.enabled,
        }
        putting = self._database.upsert(WEBHOOKS, on=["id"], update=row.keys() - {"id"})
        async with self._database.transaction() as connection:
            await connection.execute(putting, row)
            await write_audit(connection, [deed], now)

    async def get(self, webhook_id: UUID) -> Webhook | None:
        found = sa.select(WEBHOOKS).where(WEBHOOKS.c.id == webhook_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(found)).one_or_none()
        return None if row is None else webhook_of(row)

    async def all(self) -> Sequence[Webhook]:
        every = sa.select(WEBHOOKS).order_by(WEBHOOKS.c.id)
        async with self._database.reading() as connection:
            return [webhook_of(row) for row in await connection.execute(every)]

    async def delete(self, webhook_id: UUID, *, now: datetime, deed: Deed) -> bool:
        async with self._database.transaction() as connection:
            deleting = WEBHOOKS.delete().where(WEBHOOKS.c.id == webhook_id)
            if (await connection.execute(deleting)).rowcount == 0:
                return False
            await write_audit(connection, [deed], now)
            return True


def webhook_of(row: sa.Row[Any]) -> Webhook:
    """The webhook that a whole row holds."""
    return Webhook(
        id=row.id,
        url=row.url,
        kinds=_kinds.decode(row.kinds),
        secret=row.secret,
        former_secret=row.former_secret,
        former_until=row.former_until,
        created_at=row.created_at,
        enabled=row.enabled,
    )
