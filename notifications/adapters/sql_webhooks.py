"""Webhooks in a table."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.notices import Urgency
from notifications.adapters.batches import storable
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.webhook_tables import WebhookRow
from notifications.audit.types import Deed
from notifications.webhooks.types import NewsKind, Origin, Selection, Webhook

WEBHOOKS = table_of(WebhookRow)

_kinds = msgspec.json.Decoder(frozenset[NewsKind])
_origins = msgspec.json.Decoder(frozenset[Origin])
_urgencies = msgspec.json.Decoder(frozenset[Urgency])
_categories = msgspec.json.Decoder(frozenset[str])


class SqlWebhooks:
    """Few rows, read as often as anything is told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, webhook: Webhook, *, now: datetime, deed: Deed) -> None:
        row = row_of(webhook)
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


def row_of(webhook: Webhook) -> Mapping[str, Any]:
    """The whole row of a webhook."""
    selection = webhook.selection
    return {
        "id": webhook.id,
        "url": webhook.url,
        "kinds": _sorted(webhook.kinds),
        "secret": webhook.secret,
        "former_secret": webhook.former_secret,
        "former_until": webhook.former_until,
        "created_at": webhook.created_at,
        "enabled": webhook.enabled,
        "origins": _sorted(selection.origins),
        "urgencies": _sorted(selection.urgencies),
        "categories": _sorted(selection.categories),
        "failing_since": webhook.failing_since,
        "failures": webhook.failures,
        "resting_until": webhook.resting_until,
        "disabled_reason": storable(webhook.disabled_reason, length=255),
    }


def _sorted(words: Collection[str]) -> str:
    return msgspec.json.encode(sorted(words)).decode()


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
        selection=Selection(
            origins=_origins.decode(row.origins),
            urgencies=_urgencies.decode(row.urgencies),
            categories=_categories.decode(row.categories),
        ),
        failing_since=row.failing_since,
        failures=row.failures,
        resting_until=row.resting_until,
        disabled_reason=row.disabled_reason,
    )
