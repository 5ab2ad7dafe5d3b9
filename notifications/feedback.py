"""What providers' answers teach us about devices."""

import logging
from collections.abc import Sequence
from datetime import datetime

from kernel.clock import Clock
from kernel.metrics import Metrics
from notifications.ports import ACCEPTED_WITHIN, DeviceStore
from notifications.pushes import PushState, Settlement
from notifications.types import TokenFault

log = logging.getLogger(__name__)


class Feedback:
    """Disables addresses that are gone, remembers those that work."""

    def __init__(self, *, devices: DeviceStore, clock: Clock, metrics: Metrics) -> None:
        self._devices = devices
        self._clock = clock
        self._disabled = metrics.counter(
            "notifications_devices_disabled_total", "Devices whose address a provider refused."
        )

    async def learn(self, settled: Sequence[Settlement], *, faults: Sequence[TokenFault]) -> None:
        """Take settled attempts into account; `faults` are beyond doubt."""
        now = self._clock.now()
        if faults:
            disabled = await self._devices.disable(faults, now=now)
            self._disabled.inc(disabled)
            log.info("devices disabled", extra={"faults": len(faults), "disabled": disabled})
        accepted = {
            each.push.device_id
            for each in settled
            if each.state is PushState.ACCEPTED and _long_ago(each.push.accepted_at, now)
        }
        if accepted:
            await self._devices.accepted(sorted(accepted), now=now)
        for each in settled:
            if each.push.elsewhere is not None and each.state is PushState.ACCEPTED:
                await self._devices.found(
                    each.push.device_id,
                    generation=each.push.generation,
                    environment=each.push.elsewhere,
                )
                log.info("device found elsewhere", extra={"device_id": each.push.device_id})


def _long_ago(accepted_at: datetime | None, now: datetime) -> bool:
    """Whether it is worth a write: once a day is enough to tell the living from the dead."""
    return accepted_at is None or now - accepted_at > ACCEPTED_WITHIN
