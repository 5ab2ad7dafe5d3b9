"""Forgetting: what was remembered longer than anybody needs it."""

from datetime import timedelta

from kernel.clock import Clock
from kernel.workers import Stop, repeat
from reminders.alarm_ports import AlarmStore
from reminders.digests.ports import DigestStore
from reminders.ports import CalendarStore, FiringStore

KEPT = timedelta(days=30)
"""So long an action's answer can be had again; its token is over long before."""

EXPLAINED = timedelta(days=396)
"""So long after the day that a reminder was about it can be told what became of it: 13 months."""

TOLD = timedelta(days=35)
"""So long it can be explained which digest told what."""

_AT_ONCE = 10_000
_REST_SECONDS = 600.0


class Forgetting:
    """Safe to run many times."""

    name = "forgetting"

    def __init__(
        self,
        *,
        store: CalendarStore,
        firings: FiringStore,
        digests: DigestStore,
        alarms: AlarmStore,
        clock: Clock,
    ) -> None:
        self._store = store
        self._firings = firings
        self._digests = digests
        self._alarms = alarms
        self._clock = clock

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=_REST_SECONDS)

    async def step(self) -> int:
        """Forget a batch of what is old; how many."""
        now = self._clock.now()
        forgotten = await self._store.forget_actions(before=now - KEPT, limit=_AT_ONCE)
        explained = (now - EXPLAINED).date()
        forgotten += await self._firings.forget(before=explained, limit=_AT_ONCE)
        forgotten += await self._digests.forget(before=now - TOLD, limit=_AT_ONCE)
        return forgotten + await self._alarms.forget_syncs(limit=_AT_ONCE)
