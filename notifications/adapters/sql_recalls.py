"""Notices that somebody has seen to: their pushes ended, or taken back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import AMONG, among
from kernel.adapters.database import Database, table_of
from kernel.adapters.tables import OutboxRow
from kernel.ids import UserId
from kernel.notices import Recall, Urgency, recall_key
from notifications.adapters.batches import insert_new
from notifications.adapters.push_rows import NOTIFICATIONS, PUSHES, notification_row, write_plan
from notifications.adapters.sql_devices import DEVICES, device_of
from notifications.adapters.tables import NO_DEVICE
from notifications.coalescing.ports import TakeBack
from notifications.deciding.categories import DISMISSAL
from notifications.planning import notification_id
from notifications.pushes import Notification, Push, PushState
from notifications.types import Device

_OUTBOX = table_of(OutboxRow)

RECALLED = "recalled"
"""The reason of a push about what somebody had seen to before it went out."""

_WAITING = frozenset({PushState.QUEUED, PushState.RETRY, PushState.HELD})
_PERHAPS_SHOWN = frozenset({PushState.ACCEPTED, PushState.AMBIGUOUS, PushState.SENDING})


class SqlRecalls:
    """Fulfils `RecallStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recall(self, recalls: Sequence[Recall], *, now: datetime, dismiss: TakeBack) -> int:
        by_id = {notification_id(each.notice, each.user_id): each for each in recalls}
        async with self._database.transaction() as connection:
            # A notice that comes only later finds its notification there, and plans nothing.
            places = [notification_row(_taken(each, by_id[each], now)) for each in sorted(by_id)]
            unheard = await insert_new(connection, NOTIFICATIONS, places)
            told = sorted(by_id.keys() - set(unheard))
            if not told:
                return 0
            locked = (
                sa.select(PUSHES)
                .where(among(connection, PUSHES.c.notification_id, told))
                .order_by(PUSHES.c.id)
                .with_for_update()
            )
            pushes = list(await connection.execute(locked))
            await _end(connection, pushes, now)
            shown: dict[UUID, dict[UUID, bool]] = defaultdict(dict)
            for row in pushes:
                saw_to_it = by_id[row.notification_id].device_id
                perhaps_shown = row.state in _PERHAPS_SHOWN or row.ambiguous
                if perhaps_shown and row.device_id not in (saw_to_it, NO_DEVICE):
                    coming = row.state == PushState.SENDING
                    shown[row.notification_id][row.device_id] = coming
            return await _dismiss(connection, by_id, shown, dismiss)


async def recalled(connection: AsyncConnection, rows: Sequence[Any]) -> frozenset[UUID]:
    """Those of the claimed pushes that were recalled, also when no relay has seen to it yet."""
    keys: dict[str, list[UUID]] = defaultdict(list)
    for row in rows:
        # What takes a notice back is known by the same key.
        if row.category != DISMISSAL:
            keys[recall_key(UserId(row.user_id), row.collapse_key)].append(row.id)
    if not keys:
        return frozenset()
    found = await connection.execute(_ENTRIES[connection.dialect.name], {"keys": [*keys]})
    return frozenset(push_id for key in found.scalars() for push_id in keys[key])


_ENTRIES = {
    dialect: sa.select(_OUTBOX.c.dedupe_key).where(is_among(_OUTBOX.c.dedupe_key, "keys"))
    for dialect, is_among in AMONG.items()
}


async def _end(connection: AsyncConnection, pushes: Sequence[Any], now: datetime) -> None:
    waiting = [row for row in pushes if row.state in _WAITING]
    # One that may be on a device already must not be called unsent.
    for state, rows in (
        (PushState.SUPPRESSED, [row.id for row in waiting if not row.ambiguous]),
        (PushState.AMBIGUOUS, [row.id for row in waiting if row.ambiguous]),
    ):
        if rows:
            ending = PUSHES.update().where(among(connection, PUSHES.c.id, rows))
            await connection.execute(
                ending.values(state=state, reason=RECALLED, settled_at=now, leased_until=None)
            )
    coming = [row.id for row in pushes if row.state == PushState.SENDING]
    if coming:
        # What is in the air cannot be held back, but need not be tried again.
        await connection.execute(
            PUSHES.update().where(among(connection, PUSHES.c.id, coming)).values(expires_at=now)
        )


async def _dismiss(
    connection: AsyncConnection,
    by_id: Mapping[UUID, Recall],
    shown: Mapping[UUID, Mapping[UUID, bool]],
    dismiss: TakeBack,
) -> int:
    device_ids = sorted({device_id for some in shown.values() for device_id in some})
    if not device_ids:
        return 0
    found = sa.select(DEVICES).where(among(connection, DEVICES.c.id, device_ids))
    devices: dict[UUID, Device] = {
        row.id: device_of(row) for row in await connection.execute(found)
    }
    notifications: list[Notification] = []
    pushes: list[Push] = []
    for key, some in shown.items():
        reached = {
            devices[each]: coming
            for each, coming in some.items()
            if each in devices and devices[each].user_id == by_id[key].user_id
        }
        notification, planned = dismiss(by_id[key], reached)
        if planned:
            notifications.append(notification)
            pushes += planned
    return await write_plan(connection, notifications, pushes, whole=True)


def _taken(key: UUID, recall: Recall, now: datetime) -> Notification:
    """Takes the place of a notification that is not to be."""
    return Notification(
        id=key,
        user_id=recall.user_id,
        template=RECALLED,
        category=DISMISSAL,
        urgency=Urgency.TRANSACTIONAL,
        created_at=now,
        expires_at=now,
    )
