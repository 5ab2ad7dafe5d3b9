"""Intake: a notice becomes one notification per user and one push per device."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import Notice, notice_of
from kernel.outbox import Claimed, Entry
from kernel.workers import Pulse
from notifications.coalescing.options import CoalescingOptions
from notifications.coalescing.ports import Unread
from notifications.deciding.types import Reason
from notifications.outside import Alarms
from notifications.planning import Planner
from notifications.ports import DeviceStore, PushStore
from notifications.preferences.voices import Voices
from notifications.pushes import Notification, Push
from notifications.templates.shelf import Shelf

log = logging.getLogger(__name__)

USERS_AT_ONCE = 2000
"""A relay's batch may hold hundreds of notices for hundreds of users; memory holds so many."""


class Intake:
    """The relay's handler of notices.

    A notice that comes again changes nothing; one that cannot be rendered raises, and the
    relay lets it fail alone.
    """

    def __init__(
        self,
        *,
        devices: DeviceStore,
        pushes: PushStore,
        shelf: Shelf,
        voices: Voices,
        unread: Unread,
        alarms: Alarms,
        coalescing: CoalescingOptions,
        clock: Clock,
        metrics: Metrics,
        pulse: Pulse,
    ) -> None:
        self._devices = devices
        self._pushes = pushes
        self._shelf = shelf
        self._voices = voices
        self._unread = unread
        self._alarms = alarms
        self._coalescing = coalescing
        self._clock = clock
        self._pulse = pulse
        self._notices = metrics.counter(
            "notifications_notices_total", "Notices by what came of them.", ["category", "outcome"]
        )
        self._planned = metrics.counter(
            "notifications_pushes_planned_total", "Pushes planned.", ["category"]
        )
        self._withheld = metrics.counter(
            "notifications_pushes_withheld_total",
            "Pushes planned that do not go out, or not yet, for what their users say.",
            ["category", "reason"],
        )

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """Plan what a batch of notices means, a bounded number of users at a time."""
        now = self._clock.now()
        timely: list[Notice] = []
        for entry in entries:
            notice = notice_of(entry.payload)
            matters = notice.expires_at > now
            self._notices.labels(notice.category, "planned" if matters else "expired").inc()
            if matters:
                timely.append(notice)
        for notices in _portions(timely):
            await self._plan(notices, now)
        return ()

    async def _plan(self, notices: Sequence[Notice], now: datetime) -> None:
        """One transaction for all of them."""
        users = list({user_id: None for notice in notices for user_id in notice.user_ids})
        devices = await self._devices.of_users(users)
        said = await self._voices.about(notices)
        badges = await self._badges(notices)
        held = await self._held(notices)
        notifications: list[Notification] = []
        pushes: list[Push] = []
        for notice in notices:
            template = await self._shelf.of(notice)
            planner = Planner(
                notice,
                template,
                now=now,
                rulebook=self._voices.rulebook,
                of_many=await self._shelf.of_many(notice),
                interval=self._coalescing.interval,
            )
            before = len(pushes)
            for user_id in _unique(notice.user_ids):
                notification = planner.notification(user_id)
                notifications.append(notification)
                pushes += planner.pushes(
                    notification,
                    devices.get(user_id, ()),
                    said,
                    badge=None if badges is None or not notice.place else badges.get(user_id, 0),
                    alarmed=_alarmed(notice, held.get(user_id, {})),
                )
            self._planned.labels(notice.category).inc(len(pushes) - before)
            for push in pushes[before:]:
                if push.suppressed or push.due_at:
                    reason = push.suppressed or Reason.QUIET_HOURS
                    self._withheld.labels(notice.category, reason).inc()
        stored = await self._pushes.plan(notifications, pushes)
        if stored:
            self._pulse.beat()
        log.info("notices planned", extra={"notices": len(notices), "pushes": stored})

    async def _held(
        self, notices: Sequence[Notice]
    ) -> Mapping[UserId, Mapping[UUID, Collection[str]]]:
        """The alarms that devices hold, of those users who are told of something that has one."""
        users = {user_id for notice in notices if notice.alarms for user_id in notice.user_ids}
        return await self._alarms.held(users) if users else {}

    async def _badges(self, notices: Sequence[Notice]) -> Mapping[UserId, int] | None:
        """What users have not read, of those who are told of something that is read."""
        if not self._coalescing.badges:
            return None
        users = {user_id for notice in notices if notice.place for user_id in notice.user_ids}
        return await self._unread.unread(sorted(users)) if users else {}


def _alarmed(notice: Notice, held: Mapping[UUID, Collection[str]]) -> Collection[UUID]:
    """The devices that show by themselves all that a notice is about."""
    if not notice.alarms or not held:
        return ()
    wanted = set(notice.alarms)
    return {device_id for device_id, alarms in held.items() if wanted <= set(alarms)}


def _portions(notices: Sequence[Notice]) -> Iterator[Sequence[Notice]]:
    """The notices in order, in portions of at most `USERS_AT_ONCE` users, or of one notice."""
    portion: list[Notice] = []
    users = 0
    for notice in notices:
        if portion and users + len(notice.user_ids) > USERS_AT_ONCE:
            yield portion
            portion, users = [], 0
        portion.append(notice)
        users += len(notice.user_ids)
    if portion:
        yield portion


def _unique(user_ids: Sequence[UserId]) -> Sequence[UserId]:
    return list(dict.fromkeys(user_ids))
