"""Signs that users use the application, gathered so that they cost next to nothing."""

from datetime import datetime

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.workers import Stop, repeat
from messaging.standing.ports import StatusStore

FLUSH_SECONDS = 1.0
"""Rest between two writes."""

BATCH = 1000


class Activity:
    """Writes down at most once per user and `write_seconds` that they were active.

    What is not written yet when the process dies is lost: the next sign comes soon.
    """

    name = "activity"

    def __init__(self, store: StatusStore, *, clock: Clock, write_seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._write_seconds = write_seconds
        self._noted: dict[UserId, float] = {}
        """In the order of noting, so the oldest come first."""
        self._unwritten: dict[UserId, datetime] = {}

    def note(self, user_id: UserId) -> None:
        """The user is active now. Never waits."""
        now = self._clock.monotonic()
        if now - self._noted.get(user_id, float("-inf")) >= self._write_seconds:
            self._noted.pop(user_id, None)
            self._noted[user_id] = now
            self._unwritten[user_id] = self._clock.now()

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=FLUSH_SECONDS)
        await self.step()

    async def step(self) -> int:
        """Write down who was active since the last time; how many."""
        self._forget_old()
        some = dict(list(self._unwritten.items())[:BATCH])
        if some:
            await self._store.active(some)
            for user_id, at in some.items():
                if self._unwritten.get(user_id) == at:
                    del self._unwritten[user_id]
        # Those who were active meanwhile gather until the next write.
        return len(some) if len(some) == BATCH else 0

    def _forget_old(self) -> None:
        before = self._clock.monotonic() - self._write_seconds
        while self._noted:
            oldest = next(iter(self._noted))
            if self._noted[oldest] > before:
                break
            del self._noted[oldest]
