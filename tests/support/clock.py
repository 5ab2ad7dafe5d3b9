"""A clock that tests move by hand."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
"""When every manual clock begins: a Sunday morning."""


class ManualClock:
    """Time stands still until `move`. Who sleeps wakes when the clock has passed the moment.

    Waking takes a turn of the event loop: after `move`, await something before looking.
    """

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._watchers: list[asyncio.Future[None]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waking = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), waking))
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)
        await waking

    def move(self, **by: float) -> None:
        """Let time pass: `move(seconds=5)`, `move(hours=1, minutes=30)`."""
        step = timedelta(**by)
        assert step >= timedelta(0), "time does not go back"
        self._now += step
        self._monotonic += step.total_seconds()
        while self._sleepers and self._sleepers[0][0] <= self._monotonic + 1e-9:
            _, _, waking = heapq.heappop(self._sleepers)
            if not waking.done():
                waking.set_result(None)

    @property
    def sleepers(self) -> int:
        """How many tasks are asleep."""
        return sum(not waking.done() for _, _, waking in self._sleepers)

    async def asleep(self, sleepers: int = 1, *, within: float = 5.0) -> None:
        """Wait until that many tasks are asleep; `TimeoutError` after `within` real seconds."""
        async with asyncio.timeout(within):
            while self.sleepers < sleepers:
                watcher = asyncio.get_running_loop().create_future()
                self._watchers.append(watcher)
                try:
                    await watcher
                finally:
                    self._watchers.remove(watcher)
