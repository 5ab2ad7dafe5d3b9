"""Dismissals: pushes without a sound that take back what devices show. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import uuid5

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.deciding.categories import DISMISSAL
from notifications.planning import notification_id
from notifications.pushes import Notification, Push
from notifications.templates.locales import locale_chain
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
    in_browsers: Mapping[str, str] | None = None,
) -> tuple[Notification, list[Push]]:
    """What tells a user's devices to take something back: each at once, or not before an instant.

    `key` says what it is about, so that the same is planned once. An iPhone's icon is set by
    the system, so that the `badge` is right even where the app is not woken. Browsers must show
    something for every push: they put the words `in_browsers`, by language, in the place of
    what they show, or are not asked where there are none.
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
    pushes = [
        Push(
            id=uuid5(notification.id, str(device.id)),
            notification_id=notification.id,
            user_id=user_id,
            device_id=device.id,
            route=device.route,
            urgency=notification.urgency,
            content=content,
            collapse_key=collapse_key,
            created_at=now,
            expires_at=notification.expires_at,
            app_id=device.app_id,
            category=DISMISSAL,
            due_at=due_at,
        )
        for device, due_at in devices.items()
        if device.disabled_at is None
        and (content := _content(device, data, badge, in_browsers)) is not None
    ]
    return notification, pushes


def _content(
    device: Device,
    data: Mapping[str, str],
    badge: int | None,
    in_browsers: Mapping[str, str] | None,
) -> Content | None:
    if device.route is Route.WEBPUSH:
        if in_browsers is None:
            return None
        title = next(
            in_browsers[each] for each in locale_chain(device.locale) if each in in_browsers
        )
        return Content(title=title, body="", data=data, web={"silent": True})
    if device.route in _APPLE and badge is not None:
        return Content(title="", body="", data=data, badge=badge, apple={"content-available": 1})
    return Content(title="", body="", data=data, kind=PushKind.BACKGROUND)
