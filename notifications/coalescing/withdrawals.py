"""Withdrawals: what was read on one device is taken back on the others."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid5

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import Urgency, Withdrawal, withdrawal_of
from kernel.outbox import Claimed, Entry
from kernel.workers import Pulse
from notifications.coalescing.ports import ThreadStore, Unread
from notifications.deciding.categories import DISMISSAL
from notifications.planning import bounded, notification_id
from notifications.pushes import Notification, Push
from notifications.types import Content, Device, PushKind, Route

log = logging.getLogger(__name__)

LIFETIME = timedelta(hours=1)
"""A device that cannot be reached for so long has nothing to take back: the app looks itself."""

_APPLE = frozenset({Route.APNS, Route.APNS_SANDBOX})


class Withdrawals:
    """The relay's handler of withdrawals."""

    def __init__(
        self,
        *,
        threads: ThreadStore,
        unread: Unread,
        badges: bool,
        clock: Clock,
        metrics: Metrics,
        pulse: Pulse,
    ) -> None:
        self._threads = threads
        self._unread = unread
        self._badges = badges
        self._clock = clock
        self._pulse = pulse
        self._planned = metrics.counter(
            "notifications_dismissals_planned_total",
            "Pushes that take back what was read elsewhere.",
        )

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """Take back what the users of a batch have read."""
        now = self._clock.now()
        withdrawals = _latest([withdrawal_of(entry.payload) for entry in entries])
        users = {each.user_id for each in withdrawals}
        badges = await self._unread.unread(sorted(users)) if self._badges else None
        planned = await self._threads.withdraw(
            withdrawals, now=now, dismiss=partial(dismissal, badges=badges, now=now)
        )
        if planned:
            self._planned.inc(planned)
            self._pulse.beat()
            log.info("dismissals planned", extra={"users": len(users), "pushes": planned})
        return ()


def dismissal(
    withdrawal: Withdrawal,
    devices: Sequence[Device],
    *,
    badges: Mapping[UserId, int] | None,
    now: datetime,
) -> tuple[Notification, Sequence[Push]]:
    """What tells devices to take back what they show of a thread.

    Apps find `dismiss` and the badge in the data. An iPhone's icon is set by the system, so
    that it is right even where the app is not woken; browsers are not asked, since they would
    show something of their own instead.
    """
    key = f"read:{withdrawal.thread}:{withdrawal.place}"
    notification = Notification(
        id=notification_id(key, withdrawal.user_id),
        user_id=withdrawal.user_id,
        template=DISMISSAL,
        category=DISMISSAL,
        urgency=Urgency.TRANSACTIONAL,
        created_at=now,
        expires_at=now + LIFETIME,
        thread=withdrawal.thread,
    )
    badge = None if badges is None else badges.get(withdrawal.user_id, 0)
    data = {"dismiss": withdrawal.thread, "read_to": str(withdrawal.place)}
    if badge is not None:
        data["badge"] = str(badge)
    silent = Content(title="", body="", data=data, kind=PushKind.BACKGROUND)
    icon = Content(title="", body="", data=data, badge=badge, apple={"content-available": 1})
    pushes = [
        Push(
            id=uuid5(notification.id, str(device.id)),
            notification_id=notification.id,
            user_id=withdrawal.user_id,
            device_id=device.id,
            route=device.route,
            urgency=notification.urgency,
            content=icon if device.route in _APPLE and badge is not None else silent,
            # A message that still waits at the provider need not arrive any more.
            collapse_key=bounded(withdrawal.thread),
            created_at=now,
            expires_at=notification.expires_at,
            app_id=device.app_id,
            category=DISMISSAL,
        )
        for device in devices
        if device.route is not Route.WEBPUSH and device.disabled_at is None
    ]
    return notification, pushes


def _latest(withdrawals: Sequence[Withdrawal]) -> Sequence[Withdrawal]:
    """The furthest place for each user and thread."""
    furthest: dict[tuple[UserId, str], Withdrawal] = {}
    for each in withdrawals:
        known = furthest.get((each.user_id, each.thread))
        if known is None or each.place >= known.place:
            furthest[each.user_id, each.thread] = each
    return list(furthest.values())
