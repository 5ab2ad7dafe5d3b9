"""Upkeep: pushes whose dispatcher died, whose time ran out, and what nobody asks about."""

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.notices import Urgency
from kernel.options import option
from kernel.workers import Stop, repeat
from notifications.policy import LEASE_ENDED, settlement_of
from notifications.ports import DeviceStore, PushLedger, PushStore
from notifications.types import Outcome, Route, Verdict

log = logging.getLogger(__name__)

_LEASE = timedelta(seconds=30)
_BATCH = 1000
_SELDOM = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class UpkeepOptions:
    """How long things are kept."""

    every_seconds: float = option(5.0, "Rest between looks for lost and expired pushes.")
    pushes_days: int = option(7, "Notifications and their pushes are kept so long.")
    campaigns_days: int = option(90, "Those of campaigns are kept so long, for their counts.")
    disabled_days: int = option(30, "Devices whose address is gone are kept so long.")
    unconfirmed_days: int = option(270, "Devices that do not register again are kept so long.")

    def __post_init__(self) -> None:
        if self.every_seconds <= 0:
            raise ValueError("every_seconds must be above 0")
        for name in ("pushes_days", "campaigns_days", "disabled_days", "unconfirmed_days"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")


class Upkeep:
    """Safe to run many times. What it finds, it finds by indexes of unsettled pushes."""

    name = "push-upkeep"

    def __init__(
        self,
        *,
        store: PushStore,
        ledger: PushLedger,
        devices: DeviceStore,
        clock: Clock,
        metrics: Metrics,
        options: UpkeepOptions,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._devices = devices
        self._clock = clock
        self._options = options
        self._swept_at: datetime | None = None
        self._lanes: set[tuple[str, Route, Urgency]] = set()
        self._waiting = metrics.gauge(
            "notifications_oldest_due_age_seconds",
            "How long the oldest due push has been waiting.",
            ["app", "route", "urgency"],
        )
        self._ended = metrics.counter(
            "notifications_upkeep_total", "Pushes found by upkeep.", ["what"]
        )

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=self._options.every_seconds)

    async def step(self) -> int:
        """Look after one batch of each kind; how many pushes were lost or expired."""
        now = self._clock.now()
        lost = await self._store.reclaim(now=now, lease=_LEASE, limit=_BATCH)
        if lost:
            doubtful = Outcome(Verdict.AMBIGUOUS, LEASE_ENDED)
            await self._store.settle(
                [settlement_of(push, doubtful, now=now, dice=random.uniform) for push in lost],
                now=now,
            )
            self._ended.labels("lease_ended").inc(len(lost))
            log.warning("pushes in doubt", extra={"pushes": len(lost)})
        expired = await self._store.expire(now=now, limit=_BATCH)
        self._ended.labels("expired").inc(expired)
        await self._observe(now)
        if self._swept_at is None or now - self._swept_at >= _SELDOM:
            self._swept_at = now
            await self._sweep(now)
        return len(lost) + expired

    async def _observe(self, now: datetime) -> None:
        ages = await self._ledger.ages(now=now)
        self._lanes |= ages.keys()
        for lane in self._lanes:
            self._waiting.labels(*lane).set(ages.get(lane, 0.0))

    async def _sweep(self, now: datetime) -> None:
        options = self._options
        pruned = await self._ledger.prune(
            before=now - timedelta(days=options.pushes_days),
            campaigns_before=now - timedelta(days=options.campaigns_days),
            limit=10 * _BATCH,
        )
        purged = await self._devices.purge(
            disabled_before=now - timedelta(days=options.disabled_days),
            confirmed_before=now - timedelta(days=options.unconfirmed_days),
            limit=_BATCH,
        )
        if pruned or purged:
            log.info("old records deleted", extra={"notifications": pruned, "devices": purged})
