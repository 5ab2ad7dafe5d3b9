"""Lets go of what channels' streams keep no longer."""

from kernel.clock import Clock
from kernel.workers import Stop, repeat
from messaging.ports import PublicationStore

BATCH = 1000
"""Rows of a kind that one transaction deletes, at most."""

EVERY_SECONDS = 5.0


class StreamUpkeep:
    """May run in many processes: what one of them deletes, another does not find."""

    name = "stream-upkeep"

    def __init__(self, *, store: PublicationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=EVERY_SECONDS)

    async def step(self) -> int:
        """Delete some of what is over; how much."""
        return await self._store.prune(limit=BATCH)
