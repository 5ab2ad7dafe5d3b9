"""Notifications and pushes as rows: a plan written, a holding read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import table_of
from kernel.notices import Urgency
from notifications.adapters.batches import insert_new
from notifications.adapters.tables import NotificationRow, PushRow
from notifications.pushes import HeldPush, Notification, Push, PushState
from notifications.types import AddressKind, Attempt, Content, Environment, Route

NOTIFICATIONS = table_of(NotificationRow)
PUSHES = table_of(PushRow)

_content = msgspec.json.Decoder(Content)


async def write_plan(
    connection: AsyncConnection,
    notifications: Sequence[Notification],
    pushes: Sequence[Push],
    *,
    whole: bool,
) -> int:
    """Write what is new of a plan in the transaction of `connection`; how many pushes.

    A `whole` plan names every push of its notifications, so one that is there already has
    all of its own; a part of a larger plan may add pushes to it.
    """
    by_id = {each.id: each for each in notifications}
    fresh = set(
        await insert_new(
            connection,
            NOTIFICATIONS,
            [_notification_row(by_id[each]) for each in sorted(by_id)],
        )
    )
    wanted = {
        push.id: push for push in pushes if push.notification_id in (fresh if whole else by_id)
    }
    encoded: dict[int, str] = {}
    rows = [_push_row(wanted[each], encoded) for each in sorted(wanted)]
    return len(await insert_new(connection, PUSHES, rows))


HELD = (
    PUSHES.c.id,
    PUSHES.c.attempts,
    PUSHES.c.route,
    PUSHES.c.urgency,
    PUSHES.c.device_id,
    PUSHES.c.fence,
    PUSHES.c.started_at,
    PUSHES.c.first_tried_at,
    PUSHES.c.expires_at,
    PUSHES.c.unsent,
    PUSHES.c.ambiguous,
)


def held_of(row: Any, *, generation: int, accepted_at: datetime | None) -> HeldPush:
    """The holding that a row with the columns `HELD` says."""
    return HeldPush(
        id=row.id,
        number=row.attempts,
        route=Route(row.route),
        urgency=Urgency(row.urgency),
        device_id=row.device_id,
        generation=generation,
        fence=row.fence,
        started_at=row.started_at,
        first_tried_at=row.first_tried_at,
        expires_at=row.expires_at,
        unsent=row.unsent,
        ambiguous=row.ambiguous,
        accepted_at=accepted_at,
    )


def attempt_of(row: Any, device: Any) -> Attempt:
    """The attempt of a push row at the address of a device row."""
    return Attempt(
        push_id=row.id,
        number=row.attempts,
        address_kind=AddressKind(device.address_kind),
        address=device.address,
        environment=Environment(device.environment),
        urgency=Urgency(row.urgency),
        content=_content.decode(row.content),
        collapse_key=row.collapse_key,
        expires_at=row.expires_at,
    )


def _notification_row(notification: Notification) -> Mapping[str, Any]:
    return {
        "id": notification.id,
        "user_id": notification.user_id,
        "template": notification.template,
        "category": notification.category,
        "urgency": notification.urgency,
        "created_at": notification.created_at,
        "expires_at": notification.expires_at,
        "campaign_id": notification.campaign_id,
    }


def _push_row(push: Push, encoded: dict[int, str]) -> Mapping[str, Any]:
    """`encoded` keeps the text of contents that many pushes share."""
    content = encoded.get(id(push.content))
    if content is None:
        content = encoded[id(push.content)] = msgspec.json.encode(push.content).decode()
    return {
        "id": push.id,
        "notification_id": push.notification_id,
        "user_id": push.user_id,
        "device_id": push.device_id,
        "campaign_id": push.campaign_id,
        "route": push.route,
        "urgency": push.urgency,
        "state": PushState.QUEUED,
        "content": content,
        "collapse_key": push.collapse_key,
        "created_at": push.created_at,
        "due_at": push.created_at,
        "expires_at": push.expires_at,
        "attempts": 0,
        "unsent": 0,
        "ambiguous": 0,
        "fence": 0,
        "reason": "",
    }
