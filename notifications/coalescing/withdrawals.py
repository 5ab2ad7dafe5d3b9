"""Withdrawals: what was read on one device is taken back on the others."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import Withdrawal, withdrawal_of
from kernel.outbox import Claimed, Entry
from kernel.workers import Pulse
from notifications.coalescing.dismissals import dismissing
from notifications.coalescing.ports import ThreadStore, Unread
from notifications.planning import bounded
from notifications.pushes import Notification, Push
from notifications.types import Device

log = logging.getLogger(__name__)


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
    """What tells devices to take back what they show of a thread: apps find `dismiss`."""
    badge = None if badges is None else badges.get(withdrawal.user_id, 0)
    return dismissing(
        f"read:{withdrawal.thread}:{withdrawal.place}",
        withdrawal.user_id,
        dict.fromkeys(devices),
        data={"dismiss": withdrawal.thread, "read_to": str(withdrawal.place)},
        # A message that still waits at the provider need not arrive any more.
        collapse_key=bounded(withdrawal.thread),
        thread=withdrawal.thread,
        badge=badge,
        now=now,
    )


def _latest(withdrawals: Sequence[Withdrawal]) -> Sequence[Withdrawal]:
    """The furthest place for each user and thread."""
    furthest: dict[tuple[UserId, str], Withdrawal] = {}
    for each in withdrawals:
        known = furthest.get((each.user_id, each.thread))
        if known is None or each.place >= known.place:
            furthest[each.user_id, each.thread] = each
    return list(furthest.values())
