"""Publishes through Redis: one connection per shard, each sends whatever waits as one batch.

redis-py was measured to spend four times the processor time on each message, and its cluster
client repeats what it cannot know was lost.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import hiredis

from kernel.adapters.redis_address import Endpoint
from kernel.adapters.redis_topology import FAILURES, Shards, Topology
from kernel.adapters.redis_wire import AT_ONCE, Dialer, Line, Refused, packed
from kernel.backoff import Backoff
from kernel.clock import Clock

log = logging.getLogger(__name__)

BATCH_BYTES = 1_048_576
"""Size of what is sent before anything is answered, unless a single message is larger."""

Message = tuple[bytes, bytes]
"""A channel and a payload."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How messages are sent, and who counts them."""

    command: bytes
    timeout_seconds: float
    waiting: int
    """Messages that wait for one server, at most."""
    sent: Callable[[int], None]
    dropped: Callable[[int], None]


class RedisSpeaker:
    """At most once: what a server did not take, or may have taken, is dropped and counted.

    A server that is away holds up nobody but itself.
    """

    def __init__(
        self,
        delivery: Delivery,
        *,
        topology: Topology,
        dialer: Dialer,
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        self._delivery = delivery
        self._topology = topology
        self._dialer = dialer
        self._clock = clock
        self._backoff = backoff
        self._shards: Shards | None = None
        self._lanes: dict[Endpoint, _Lane] = {}

    async def open(self) -> None:
        """Connect to every server. Raises what went wrong."""
        self._topology.watchers.append(self._arrange)
        if self._topology.shards is not None:
            self._arrange(self._topology.shards)
        for lane in self._lanes.values():
            await lane.ping()

    async def close(self) -> None:
        """Send what waits, if that works now, and disconnect."""
        with suppress(ValueError):
            self._topology.watchers.remove(self._arrange)
        lanes, self._lanes = list(self._lanes.values()), {}
        await asyncio.gather(*(lane.close() for lane in lanes))

    def say(self, messages: Sequence[Message]) -> None:
        """Hand over for sending, in order per channel."""
        shards = self._shards
        for message in messages:
            endpoint = shards.of(message[0]) if shards is not None else None
            lane = self._lanes.get(endpoint) if endpoint is not None else None
            if lane is None:
                self._delivery.dropped(1)
            else:
                lane.add(message)

    async def healthy(self) -> bool:
        """Whether every server answers now."""
        lanes = list(self._lanes.values())
        try:
            for lane in lanes:
                await lane.ping()
        except FAILURES:
            return False
        return bool(lanes)

    def _arrange(self, shards: Shards) -> None:
        if shards == self._shards:
            return
        self._shards = shards
        gone = [self._lanes.pop(each) for each in self._lanes.keys() - set(shards.primaries)]
        for endpoint in shards.primaries:
            if endpoint not in self._lanes:
                self._lanes[endpoint] = _Lane(
                    endpoint,
                    self._delivery,
                    dialer=self._dialer,
                    doubt=self._topology.doubt,
                    clock=self._clock,
                    backoff=self._backoff,
                )
        for lane in gone:
            self.say(lane.abandon())


class _Lane:
    """What waits for one server, and the connection to it."""

    def __init__(
        self,
        endpoint: Endpoint,
        delivery: Delivery,
        *,
        dialer: Dialer,
        doubt: Callable[[], None],
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        self._endpoint = endpoint
        self._delivery = delivery
        self._dialer = dialer
        self._doubt = doubt
        self._clock = clock
        self._backoff = backoff
        self._waiting: deque[Message] = deque()
        self._due = asyncio.Event()
        self._closing = False
        self._line: Line | None = None
        self._dialing = asyncio.Lock()
        self._sending = asyncio.create_task(self._run(), name=f"redis-speaker-{endpoint}")

    def add(self, message: Message) -> None:
        """Send this when it is its turn."""
        if len(self._waiting) < self._delivery.waiting:
            self._waiting.append(message)
            self._due.set()
        else:
            self._delivery.dropped(1)

    async def ping(self) -> None:
        """Return when the server answers. Raises what went wrong."""
        if self._sending.done():
            raise Refused("nobody publishes any more")
        async with asyncio.timeout(self._delivery.timeout_seconds):
            line = await self._connected()
            [answer] = await line.ask([packed(b"PING")])
        if isinstance(answer, hiredis.ReplyError):
            raise Refused(str(answer))

    async def close(self) -> None:
        """Send what waits, if that works now, and disconnect."""
        self._closing = True
        self._due.set()
        await asyncio.wait({self._sending}, timeout=self._delivery.timeout_seconds)
        self._delivery.dropped(len(self.abandon()))
        with suppress(asyncio.CancelledError):
            await self._sending

    def abandon(self) -> list[Message]:
        """Disconnect; what still waits."""
        self._sending.cancel()
        self._hang_up()
        waiting, self._waiting = list(self._waiting), deque()
        return waiting

    async def _run(self) -> None:
        failures = 0
        while not self._closing:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                if await self._send(self._next()):
                    failures = 0
                elif self._closing:
                    return
                else:
                    failures += 1
                    self._doubt()
                    await self._clock.sleep(self._backoff.delay(failures))

    def _next(self) -> list[Message]:
        batch: list[Message] = []
        size = 0
        while self._waiting and len(batch) < AT_ONCE and size < BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][1])
        return batch

    async def _send(self, batch: Sequence[Message]) -> bool:
        """Send one batch; whether the server took it. What it did not take is dropped."""
        command = self._delivery.command
        try:
            async with asyncio.timeout(self._delivery.timeout_seconds):
                line = await self._connected()
                answers = await line.ask([packed(command, *message) for message in batch])
        except FAILURES as error:
            self._hang_up()
            self._lose(len(batch), error)
            return False
        refused = [answer for answer in answers if isinstance(answer, hiredis.ReplyError)]
        self._delivery.sent(len(batch) - len(refused))
        if refused:
            self._lose(len(refused), refused[0])
        return not refused

    def _lose(self, count: int, error: Exception) -> None:
        self._delivery.dropped(count)
        log.warning(
            "bus publications dropped",
            extra={
                "count": count,
                "server": str(self._endpoint),
                "error": str(error) or repr(error),
            },
        )

    async def _connected(self) -> Line:
        async with self._dialing:
            line = self._line
            if line is None or line.wire is None or line.wire.ended.done():
                line = self._line = await self._dialer.line(self._endpoint)
            return line

    def _hang_up(self) -> None:
        if self._line is not None and self._line.wire is not None:
            self._line.wire.abort()
        self._line = None
