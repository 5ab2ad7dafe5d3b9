"""The register of devices in its table."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database
from kernel.errors import Unavailable
from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.adapters.push_rows import NOTIFICATIONS, PUSHES
from notifications.adapters.sql_apps import APPS
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.sql_devices import (
    DEVICES,
    TRIES,
    device_of,
    known_as,
    trim,
    write_registration,
)
from notifications.audit.types import SYSTEM, Deed
from notifications.pushes import PushState
from notifications.registry.types import (
    Arrival,
    Cleaned,
    Cleaning,
    DeviceCount,
    DeviceQuery,
    DeviceState,
    Imported,
    SentPush,
)
from notifications.types import DEFAULT_APP, Device, Permission, Platform, Route

_IS_DISABLED = sa.case(
    (DEVICES.c.disabled_at.is_(None), DeviceState.ENABLED.value), else_=DeviceState.DISABLED.value
)


class SqlRegistry:
    """Pages follow the primary key, so that devices which come and go shift nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, query: DeviceQuery, *, after: UUID | None, limit: int) -> Sequence[Device]:
        statement = sa.select(DEVICES).order_by(DEVICES.c.id).limit(limit).where(*_agreeing(query))
        if after is not None:
            statement = statement.where(DEVICES.c.id > after)
        async with self._database.reading() as connection:
            return [device_of(row) for row in await connection.execute(statement)]

    async def get(self, device_id: UUID) -> tuple[Device, datetime] | None:
        wanted = sa.select(DEVICES).where(DEVICES.c.id == device_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
        return None if row is None else (device_of(row), row.registered_at)

    async def pushes(self, device: Device, *, limit: int) -> Sequence[SentPush]:
        # By the user's notifications: pushes are many, and have no index by device.
        latest = (
            sa.select(PUSHES)
            .join(NOTIFICATIONS, NOTIFICATIONS.c.id == PUSHES.c.notification_id)
            .where(NOTIFICATIONS.c.user_id == device.user_id, PUSHES.c.device_id == device.id)
            .order_by(NOTIFICATIONS.c.created_at.desc(), PUSHES.c.id.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_sent(row) for row in await connection.execute(latest)]

    async def counts(self) -> Sequence[DeviceCount]:
        sort = (DEVICES.c.app_id, DEVICES.c.platform, _IS_DISABLED)
        counting = sa.select(*sort, sa.func.count()).group_by(*sort).order_by(*sort)
        async with self._database.reading() as connection:
            return [
                DeviceCount(app_id, Platform(platform), DeviceState(state), devices)
                for app_id, platform, state, devices in await connection.execute(counting)
            ]

    async def remove(self, device_id: UUID, *, deed: Deed, now: datetime) -> bool:
        removing = DEVICES.delete().where(DEVICES.c.id == device_id)
        async with self._database.transaction() as connection:
            if (await connection.execute(removing)).rowcount == 0:
                return False
            await write_audit(connection, [deed], now)
            return True

    async def logout(self, user_id: UserId, *, installation_id: str) -> int:
        leaving = DEVICES.delete().where(DEVICES.c.user_id == user_id)
        if installation_id:
            leaving = leaving.where(DEVICES.c.installation_id == installation_id)
        async with self._database.transaction() as connection:
            return (await connection.execute(leaving)).rowcount

    async def bring(
        self, imported: Sequence[Imported], *, limit: int, deed: Deed, now: datetime
    ) -> Sequence[Arrival]:
        for _ in range(TRIES):
            try:
                async with self._database.transaction() as connection:
                    apps = {DEFAULT_APP, *await connection.scalars(sa.select(APPS.c.id))}
                    arrived = [await _bring(connection, each, apps) for each in imported]
                    for user_id in sorted({each.user_id for each in imported}):
                        await trim(connection, user_id, limit)
                    await write_audit(connection, [deed], now)
                    return arrived
            except sa.exc.IntegrityError:
                # Somebody registered one of them between our look and our write.
                continue
        raise Unavailable("These devices are being registered by others at the same moment.")

    async def clean(
        self, cleaning: Cleaning, *, now: datetime, limit: int
    ) -> Mapping[Cleaned, int]:
        why = _why(cleaning)
        useless = (
            sa.select(DEVICES.c.id, why.label("why"))
            .where(why.is_not(None))
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            rows = list(await connection.execute(useless))
            sums = Counter(Cleaned(row.why) for row in rows)
            if rows:
                gone = among(connection, DEVICES.c.id, [row.id for row in rows])
                await connection.execute(DEVICES.delete().where(gone))
                details = {str(each): devices for each, devices in sums.items()}
                deed = Deed(SYSTEM, "devices.cleaned", "devices:*", details=details)
                await write_audit(connection, [deed], now)
            return sums


def _agreeing(query: DeviceQuery) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if query.app_id:
        found.append(DEVICES.c.app_id == query.app_id)
    if query.user_id is not None:
        found.append(DEVICES.c.user_id == query.user_id)
    if query.platform is not None:
        found.append(DEVICES.c.platform == query.platform)
    if query.state is not None:
        found.append(DEVICES.c.disabled_at.is_(None) == (query.state is DeviceState.ENABLED))
    return found


async def _bring(connection: AsyncConnection, imported: Imported, apps: Collection[str]) -> Arrival:
    if imported.registration.app_id not in apps:
        return Arrival.NO_APP
    known = await known_as(connection, imported.registration)
    if any(row.confirmed_at >= imported.confirmed_at for row in known):
        return Arrival.KEPT
    await write_registration(
        connection, imported.user_id, imported.registration, imported.confirmed_at, known
    )
    return Arrival.CHANGED if known else Arrival.NEW


def _why(cleaning: Cleaning) -> sa.Case[str]:
    """Why a device is of no more use; null if it is not."""
    orphaned = sa.and_(
        DEVICES.c.app_id != DEFAULT_APP, ~sa.exists().where(APPS.c.id == DEVICES.c.app_id)
    )
    refused = sa.and_(
        DEVICES.c.permission == Permission.DENIED,
        DEVICES.c.confirmed_at < cleaning.refused_before,
    )
    untaken = sa.and_(
        DEVICES.c.accepted_at.is_(None),
        DEVICES.c.registered_at < cleaning.untaken_before,
        DEVICES.c.confirmed_at < cleaning.untaken_before,
    )
    return sa.case(
        (orphaned, Cleaned.ORPHANED.value),
        (refused, Cleaned.REFUSED.value),
        (untaken, Cleaned.UNTAKEN.value),
        else_=None,
    )


def _sent(row: sa.Row[Any]) -> SentPush:
    return SentPush(
        id=row.id,
        notification_id=row.notification_id,
        route=Route(row.route),
        urgency=Urgency(row.urgency),
        state=PushState(row.state),
        reason=row.reason,
        created_at=row.created_at,
    )
