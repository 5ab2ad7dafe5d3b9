"""What registered browsers say about their app's VAPID key."""

from collections import Counter
from datetime import datetime

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.errors import InvalidInput
from notifications.adapters.sql_devices import DEVICES
from notifications.apps.types import Survey
from notifications.subscriptions import subscription_of
from notifications.types import AddressKind

LOOKED_AT = 2_000
"""Subscriptions that are read, those confirmed last: an operator waits for it."""


class SqlSurveys:
    """Fulfils `Surveys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_browsers(self, app_id: str) -> Survey:
        latest = (
            sa.select(DEVICES.c.address, DEVICES.c.accepted_at)
            .where(
                DEVICES.c.app_id == app_id,
                DEVICES.c.address_kind == AddressKind.WEBPUSH,
                DEVICES.c.disabled_at.is_(None),
            )
            .order_by(DEVICES.c.confirmed_at.desc())
            .limit(LOOKED_AT)
        )
        async with self._database.reading() as connection:
            rows = list(await connection.execute(latest))
        services: Counter[str] = Counter()
        keys: Counter[str] = Counter()
        accepted: list[datetime] = []
        for row in rows:
            try:
                subscription = subscription_of(row.address)
            except InvalidInput:
                continue
            services[subscription.origin] += 1
            if subscription.made_with:
                keys[subscription.made_with] += 1
            if row.accepted_at is not None:
                accepted.append(row.accepted_at)
        return Survey(
            services=dict(services.most_common()),
            keys=dict(keys.most_common()),
            looked_at=len(rows),
            accepted_at=max(accepted, default=None),
        )
