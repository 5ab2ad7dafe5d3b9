"""The devices that pushes go to, as they are when they are claimed."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import AMONG
from kernel.adapters.database import table_of
from notifications.adapters.sql_preferences import PREFERENCES
from notifications.adapters.tables import DeviceRow
from notifications.policy import ELSEWHERE
from notifications.types import AddressKind, Environment, Route, route_of

_DEVICES = table_of(DeviceRow)


async def devices_by_id(
    connection: AsyncConnection, device_ids: Sequence[UUID]
) -> Mapping[UUID, Any]:
    """Those of these devices that are there and enabled, with what their users have said."""
    enabled = _ENABLED[connection.dialect.name]
    return {row.id: row for row in await connection.execute(enabled, {"ids": [*set(device_ids)]})}


def is_for(push: Any, device: Any, app_id: str, route: Route) -> bool:
    """Whether the device is still the one that the push of this app and route was planned for."""
    if device.user_id != push.user_id or device.app_id != app_id:
        return False
    kind = AddressKind(device.address_kind)
    if route in _APNS:
        # APNs carries to either environment: the device may have been found in the other one.
        return kind is AddressKind.APNS
    return route_of(kind, Environment(device.environment)) is route


def elsewhere(push: Any, device: Any) -> Environment | None:
    """The environment that a claimed push tries, if it is not what its device said."""
    if device.accepted_at is not None or not push.reason.startswith(ELSEWHERE):
        return None
    said = Environment(device.environment)
    return next(each for each in Environment if each is not said)


_APNS = (Route.APNS, Route.APNS_SANDBOX)


# Built once: SQLAlchemy takes longer to build a statement than the database to run it.
_ENABLED = {
    dialect: sa.select(
        _DEVICES.c.id,
        _DEVICES.c.user_id,
        _DEVICES.c.address_kind,
        _DEVICES.c.address,
        _DEVICES.c.environment,
        _DEVICES.c.generation,
        _DEVICES.c.accepted_at,
        _DEVICES.c.app_id,
        _DEVICES.c.time_zone,
        PREFERENCES.c.choices,
    )
    .outerjoin(PREFERENCES, PREFERENCES.c.user_id == _DEVICES.c.user_id)
    .where(is_among(_DEVICES.c.id, "ids"), _DEVICES.c.disabled_at.is_(None))
    for dialect, is_among in AMONG.items()
}
