"""Forgetting: actions are remembered longer than anybody asks again, and then no more."""

from datetime import timedelta

from kernel.clock import Clock
from kernel.workers import Stop, repeat
from reminders.ports import CalendarStore

KEPT = timedelta(days=30)
"""So long an action's answer can be had again; its token is over long before."""

_AT_ONCE = 10_000
_REST_SECONDS = 600.0


class Forgetting:
    """Safe to run many times."""

    name = "forgetting"

    def __init__(self, *, store: CalendarStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=_REST_SECONDS)

    async def step(self) -> int:
        """Forget a batch of what is old; how many."""
        before = self._clock.now() - KEPT
        return await self._store.forget_actions(before=before, limit=_AT_ONCE)
