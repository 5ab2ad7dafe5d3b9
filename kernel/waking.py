"""Waking workers of other processes: a pulse that is felt elsewhere. What is lost costs a look."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from kernel.workers import Pulse, Stop, rest

PAUSE = 0.02
"""Seconds after words were said until the next: what is done meanwhile goes together."""


class Wakes(Protocol):
    """Carries a few words to all processes, at most once."""

    async def say(self, words: str) -> None:
        """Raises `Unavailable` when they cannot be said."""
        ...

    async def listen(self, hear: Callable[[str], None]) -> None:
        """Pass on what is said, one's own words too, until cancelled.

        Raises `Unavailable` when nothing can be heard any more.
        """
        ...


class Waking:
    """Lets the pulses of this process beat in others, and theirs here.

    Nobody depends on it: whoever is not woken looks by themselves, only later.
    """

    name = "waking"

    def __init__(self, wakes: Wakes, *, node_id: str, clock: Clock, metrics: Metrics) -> None:
        self._wakes = wakes
        self._node_id = node_id
        self._clock = clock
        self._here: dict[str, Pulse] = {}
        self._wanted: set[str] = set()
        self._news = Pulse()
        self._counted = metrics.counter(
            "kernel_wakes_total",
            "Wakes of workers in other processes: called by this one, heard by it, or lost.",
            ["worker", "way"],
        )

    def beyond(self, name: str) -> Pulse:
        """A pulse that beats in every other process that feels the name."""
        return _Beyond(lambda: self._want(name))

    def feel(self, name: str, pulse: Pulse) -> None:
        """Let `pulse` beat when another process wants it. To be said before this runs."""
        self._here[name] = pulse

    async def run(self, stop: Stop) -> None:
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._wakes.listen(self._hear)) if self._here else None
            while not stop.asked:
                await rest(None, clock=self._clock, stop=stop, pulse=self._news)
                await self.step()
                await rest(PAUSE, clock=self._clock, stop=stop)
            if listening is not None:
                listening.cancel()

    async def step(self) -> int:
        """Say which names are wanted elsewhere; how many."""
        names, self._wanted = sorted(self._wanted), set()
        if not names:
            return 0
        way = "called"
        try:
            await self._wakes.say(" ".join([self._node_id, *names]))
        except Unavailable:
            way = "lost"
        for name in names:
            self._counted.labels(name, way).inc()
        return len(names)

    def _want(self, name: str) -> None:
        self._wanted.add(name)
        self._news.beat()

    def _hear(self, words: str) -> None:
        node_id, *names = words.split()
        if node_id == self._node_id:
            return
        # A later release may wake what this one does not know.
        for name in self._here.keys() & set(names):
            self._counted.labels(name, "heard").inc()
            self._here[name].beat()


class _Beyond(Pulse):
    """Beats elsewhere."""

    def __init__(self, want: Callable[[], None]) -> None:
        super().__init__()
        self._want = want

    def beat(self) -> None:
        self._want()
