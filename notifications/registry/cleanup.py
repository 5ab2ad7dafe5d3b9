"""The nightly clean-up: devices that are of no more use, and old records of the audit trail."""

import logging
from collections import Counter as Sums
from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.leases import Leases
from kernel.metrics import Metrics
from kernel.workers import Stop, repeat
from notifications.audit.ports import Audit
from notifications.registry.options import CleanupOptions
from notifications.registry.ports import DeviceRegistry
from notifications.registry.types import Cleaned, Cleaning

log = logging.getLogger(__name__)

LEASE = "device-cleanup"
BATCH = 1000
_DAY = timedelta(days=1)
_NIGHT = timedelta(hours=6)
"""A node that starts later than that after the hour waits for the next night."""
_LOOK_SECONDS = 60.0


class Cleanup:
    """Runs on every node; the lease lets one of them work each night."""

    name = "device-cleanup"

    def __init__(
        self,
        *,
        registry: DeviceRegistry,
        audit: Audit,
        leases: Leases,
        node_id: str,
        clock: Clock,
        metrics: Metrics,
        options: CleanupOptions,
    ) -> None:
        self._registry = registry
        self._audit = audit
        self._leases = leases
        self._node_id = node_id
        self._clock = clock
        self._options = options
        self._done_for: datetime | None = None
        self._cleaned = metrics.counter(
            "notifications_devices_cleaned_total", "Devices that a clean-up deleted.", ["why"]
        )

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=_LOOK_SECONDS)

    async def step(self) -> int:
        """Clean up if this is the night's first look; 0 when there is nothing to do."""
        now = self._clock.now()
        due = _last_hour(now, self._options.hour)
        if due == self._done_for or now - due > _NIGHT:
            return 0
        lease = await self._leases.claim(
            # Held until the next night: who comes later finds the work done.
            LEASE,
            holder=self._node_id,
            now=now,
            length=due + _DAY - now,
        )
        if lease is not None:
            await self.clean(now)
        self._done_for = due
        return 0

    async def clean(self, now: datetime) -> None:
        """Delete all that is of no more use, a batch at a time."""
        options, sums = self._options, Sums[Cleaned]()
        cleaning = Cleaning(
            refused_before=now - timedelta(days=options.refused_days),
            untaken_before=now - timedelta(days=options.untaken_days),
        )
        while cleaned := await self._registry.clean(cleaning, now=now, limit=BATCH):
            sums.update(cleaned)
        for why, devices in sums.items():
            self._cleaned.labels(why).inc(devices)
        pruned, before = 0, now - timedelta(days=options.audit_days)
        while some := await self._audit.prune(before=before, limit=BATCH):
            pruned += some
        extra = {f"devices_{why}": devices for why, devices in sums.items()}
        log.info("devices cleaned", extra={**extra, "audit_records": pruned})


def _last_hour(now: datetime, hour: int) -> datetime:
    """When it last was that hour."""
    today = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return today if today <= now else today - _DAY
