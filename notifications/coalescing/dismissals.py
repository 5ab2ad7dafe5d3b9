"""Dismissals: silent pushes that take back what devices show. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import uuid5

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.deciding.categories import DISMISSAL
from notifications.planning import notification_id
from notifications.pushes import Notification, Push
from notifications.types import Content, Device, PushKind, Route

LIFETIME = timedelta(hours=1)
"""A device that cannot be reached for so long has nothing to take back: the app looks itself."""

_APPLE = frozenset({Route.APNS, Route.APNS_SANDBOX})


def dismissing(
    key: str,
    user_id: UserId,
    devices: Mapping[Device, datetime | None],
    *,
    data: Mapping[str, str],
    collapse_key: str,
    now: datetime,
    thread: str = "",
    badge: int | None = None,
) -> tuple[Notification, list[Push]]:
    """What tells a user's devices to take something back: each at once, or not before an instant.

    `key` says what it is about, so that the same is planned once. An iPhone's icon is set by
    the system, so that the `badge` is right even where the app is not woken; browsers are not
    asked, since they would show something of their own instead.
    """
    notification = Notification(
        id=notification_id(key, user_id),
        user_id=user_id,
        template=DISMISSAL,
        category=DISMISSAL,
        urgency=Urgency.TRANSACTIONAL,
        created_at=now,
        expires_at=now + LIFETIME,
        thread=thread,
    )
    if badge is not None:
        data = {**data, "badge": str(badge)}
    silent = Content(title="", body="", data=data, kind=PushKind.BACKGROUND)
    icon = Content(title="", body="", data=data, badge=badge, apple={"content-available": 1})
    pushes = [
        Push(
            id=uuid5(notification.id, str(device.id)),
            notification_id=notification.id,
            user_id=user_id,
            device_id=device.id,
            route=device.route,
            urgency=notification.urgency,
            content=icon if device.route in _APPLE and badge is not None else silent,
            collapse_key=collapse_key,
            created_at=now,
            expires_at=notification.expires_at,
            app_id=device.app_id,
            category=DISMISSAL,
            due_at=due_at,
        )
        for device, due_at in devices.items()
        if device.route is not Route.WEBPUSH and device.disabled_at is None
    ]
    return notification, pushes
