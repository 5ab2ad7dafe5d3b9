"""Whatever is interleaved, who recovers is given each publication once, or told that it cannot be.

A log that grows and forgets, hints that come late, twice or never, and slow readings of the log,
while a client recovers: what it is given and what goes out afterwards must fit together.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Publication, StreamPosition
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from messaging.connections.departures import Departures
from messaging.connections.frame_io import frame_io
from messaging.delivery.following import Following, HubOptions
from messaging.delivery.live import LiveChannel
from messaging.hub import Hub
from messaging.recovery.recovering import Recoveries
from messaging.recovery.recovery import RecoveryOptions
from messaging.types import Retention

CHANNEL = "kept:1"
EPOCH = "of this log"


class Log:
    """`Streams` of one channel, in memory; reading it takes as many turns as a test says."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.top = 0
        self.turns: deque[int] = deque()
        self._kept: list[Publication] = []

    def append(self) -> Publication:
        self.top += 1
        publication = Publication(CHANNEL, b"%d" % self.top, StreamPosition(self.top, EPOCH))
        self._kept = [*self._kept, publication][-self.size :]
        return publication

    def kept(self, _channel: str) -> Retention | None:
        return Retention(self.size, 3600.0)

    async def tops(self, channels: Sequence[str]) -> Mapping[str, StreamPosition]:
        return {CHANNEL: StreamPosition(self.top, EPOCH)}

    async def since(self, channel: str, *, offset: int, limit: int) -> Sequence[Publication]:
        await self._turns()
        found = [each for each in self._kept if each.position.offset > offset][:limit]
        await self._turns()
        return found

    async def _turns(self) -> None:
        for _ in range(self.turns.popleft() if self.turns else 0):
            await asyncio.sleep(0)


class World:
    """A hub with one channel, and what a test does to it."""

    def __init__(self, *, size: int, before: int, options: RecoveryOptions) -> None:
        clock, metrics = SystemClock(), Metrics()
        self.log = Log(size)
        self.hints: list[Publication] = []
        departures = Departures(frame_io(compiled=False))
        following = Following(
            streams=self.log,
            departures=departures,
            clock=clock,
            metrics=metrics,
            options=HubOptions(),
        )
        self.hub = Hub(
            node_id=uuid4().hex, bus=MemoryBus(), following=following, clock=clock, metrics=metrics
        )
        self.recoveries = Recoveries(
            hub=self.hub, streams=self.log, metrics=metrics, options=options
        )
        self.live = LiveChannel(
            CHANNEL, departures, kept=self.log.kept(CHANNEL), now=clock.monotonic
        )
        self.live.begin(StreamPosition(0, EPOCH))
        for _ in range(before):
            self.hub.hear(self.live, self.log.append())

    def append(self) -> None:
        self.hints.append(self.log.append())

    def hear_first(self) -> None:
        if self.hints:
            self.hub.hear(self.live, self.hints.pop(0))

    def hear_last(self) -> None:
        if self.hints:
            self.hub.hear(self.live, self.hints.pop())

    def hear_again(self) -> None:
        if self.hints:
            self.hub.hear(self.live, self.hints[0])

    def lose(self) -> None:
        if self.hints:
            self.hints.pop(0)

    def nothing(self) -> None:
        pass

    async def recover(self, offset: int, epoch: str) -> tuple[list[int] | None, int]:
        """What a client is given, and where the channel was when it was told."""
        gathered = await self.recoveries.gather(self.live, StreamPosition(offset, epoch))
        found = self.recoveries.complete(self.live, gathered)
        top = self.live.ordering.offset
        if found is None:
            return None, top
        for each in found:
            assert each.data == b"%d" % each.position.offset
        return [each.position.offset for each in found], top


ACTIONS: dict[str, Callable[[World], None]] = {
    name: getattr(World, name)
    for name in ("append", "hear_first", "hear_last", "hear_again", "lose", "nothing")
}


def in_a_loop(run: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(run())  # type: ignore[arg-type]


@settings(max_examples=300)
@given(
    size=st.sampled_from([1, 3, 1000]),
    before=st.integers(0, 6),
    since=st.integers(0, 8),
    epoch=st.sampled_from(["", EPOCH, EPOCH, EPOCH, "of another", "_"]),
    limit=st.sampled_from([2, 300]),
    turns=st.lists(st.integers(0, 4), max_size=6),
    actions=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=25),
)
def test_who_recovers_is_given_each_publication_once_or_nothing(
    size: int,
    before: int,
    since: int,
    epoch: str,
    limit: int,
    turns: list[int],
    actions: list[str],
) -> None:
    async def run() -> None:
        world = World(size=size, before=before, options=RecoveryOptions(publications=limit))
        world.log.turns.extend(turns)
        recovering = asyncio.create_task(world.recover(since, epoch))
        for action in actions:
            ACTIONS[action](world)
            await asyncio.sleep(0)
        given_back, top = await recovering

        if given_back is not None:
            assert epoch in ("", EPOCH)
            assert given_back == list(range(since + 1, top + 1))
            assert len(given_back) <= limit

    in_a_loop(run)


@given(since=st.integers(0, 20), turns=st.lists(st.integers(0, 3), max_size=4))
def test_who_missed_what_is_kept_is_given_it(since: int, turns: list[int]) -> None:
    async def run() -> None:
        world = World(size=1000, before=20, options=RecoveryOptions())
        world.log.turns.extend(turns)

        assert await world.recover(since, EPOCH) == (list(range(since + 1, 21)), 20)

    in_a_loop(run)


@given(ahead=st.integers(1, 5), turns=st.lists(st.integers(0, 3), max_size=4))
def test_who_comes_from_a_node_ahead_takes_this_one_along(ahead: int, turns: list[int]) -> None:
    async def run() -> None:
        world = World(size=1000, before=3, options=RecoveryOptions())
        world.log.turns.extend(turns)
        for _ in range(ahead):
            world.append()

        assert await world.recover(3 + ahead, EPOCH) == ([], 3 + ahead)

    in_a_loop(run)


async def test_many_who_missed_the_same_share_one_reading():
    world = World(size=1000, before=0, options=RecoveryOptions())
    world.live.ordering.offset = world.live.ordering.known = 200
    for _ in range(200):
        world.log.append()
    readings = 0
    since = world.log.since

    async def counted(channel: str, **words: Any) -> Sequence[Publication]:
        nonlocal readings
        readings += 1
        return await since(channel, **words)

    world.log.since = counted  # type: ignore[method-assign]
    world.log.turns.append(2)

    outcomes = await asyncio.gather(*(world.recover(190, EPOCH) for _ in range(50)))

    assert outcomes == [(list(range(191, 201)), 200)] * 50
    assert readings == 1
