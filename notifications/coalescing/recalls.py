"""Recalls: a notice that somebody has seen to is told to nobody any more, and taken back."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.notices import Recall, recall_of
from kernel.outbox import Claimed, Entry
from kernel.workers import Pulse
from notifications.coalescing.dismissals import dismissing
from notifications.coalescing.ports import RecallStore
from notifications.planning import bounded
from notifications.pushes import Notification, Push
from notifications.types import Device

log = logging.getLogger(__name__)

SEEN_TO = {
    "ar": "تمّ الاطلاع عليه على جهاز آخر",
    "fr": "Vu sur un autre appareil",
    "en": "Seen to on another device",
}
"""What browsers show in the place of what is taken back."""

LANDING = timedelta(seconds=10)
"""A push that is on its way gets so long to arrive before it is taken back."""


class Recalls:
    """The relay's handler of recalls."""

    def __init__(self, *, store: RecallStore, clock: Clock, metrics: Metrics, pulse: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._pulse = pulse
        self._recalled = metrics.counter(
            "notifications_recalls_total", "Notices that somebody had seen to."
        )

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """Stop what waits of a batch of notices, and take back what is shown."""
        now = self._clock.now()
        recalls = [recall_of(entry.payload) for entry in entries]
        planned = await self._store.recall(recalls, now=now, dismiss=partial(taking_back, now=now))
        self._recalled.inc(len(recalls))
        if planned:
            self._pulse.beat()
            log.info("notices taken back", extra={"notices": len(recalls), "pushes": planned})
        return ()


def taking_back(
    recall: Recall, devices: Mapping[Device, bool], *, now: datetime
) -> tuple[Notification, Sequence[Push]]:
    """What tells devices to take a notice back, those it is still on its way to a little later.

    Apps and service workers find its tag, which is also its collapse id, as `recall`.
    """
    return dismissing(
        f"recall:{recall.notice}",
        recall.user_id,
        {device: now + LANDING if coming else None for device, coming in devices.items()},
        data={"recall": recall.collapse_key},
        # What still waits at the provider need not arrive any more.
        collapse_key=bounded(recall.collapse_key),
        now=now,
        in_browsers=SEEN_TO,
    )
