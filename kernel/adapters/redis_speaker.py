"""Publishes through Redis: one connection per shard, each sends whatever waits as one batch.

redis-py was measured to spend four times the processor time on each message, and its cluster
client repeats what it cannot know was lost.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

import hiredis

from kernel.adapters.redis_address import Endpoint
from kernel.adapters.redis_ear import Words
from kernel.adapters.redis_handover import passed_on
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

    words: Words
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
        new = set(shards.primaries) - self._lanes.keys()
        left = [message for lane in gone for message in lane.retire(shards, new)]
        for endpoint in new:
            self._lanes[endpoint] = _Lane(
                endpoint,
                self._delivery,
                after=[each.sending for each in gone if each.successor == endpoint],
                dialer=self._dialer,
                doubt=self._topology.doubt,
                clock=self._clock,
                backoff=self._backoff,
            )
        self.say(left)


class _Lane:
    """What waits for one server, and the connection to it.

    Nothing is sent before what `after` names has ended.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        delivery: Delivery,
        *,
        after: Sequence[asyncio.Task[None]],
        dialer: Dialer,
        doubt: Callable[[], None],
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        self.successor: Endpoint | None = None
        self._endpoint = endpoint
        self._delivery = delivery
        self._after = after
        self._dialer = dialer
        self._doubt = doubt
        self._clock = clock
        self._backoff = backoff
        self._waiting: deque[Message] = deque()
        self._due = asyncio.Event()
        self._closing = False
        self._resting = False
        self._last = b""
        self._line: Line | None = None
        self._dialing = asyncio.Lock()
        self.sending = asyncio.create_task(self._run(), name=f"redis-speaker-{endpoint}")

    def add(self, message: Message) -> None:
        """Send this when it is its turn."""
        if len(self._waiting) < self._delivery.waiting:
            self._waiting.append(message)
            self._due.set()
        else:
            self._delivery.dropped(1)

    async def ping(self) -> None:
        """Return when the server answers. Raises what went wrong."""
        if self.sending.done():
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
        await asyncio.wait({self.sending}, timeout=self._delivery.timeout_seconds)
        self._delivery.dropped(len(self.abandon()))
        with suppress(asyncio.CancelledError):
            await self.sending

    def abandon(self) -> list[Message]:
        """Disconnect; what still waits."""
        for each in (*self._after, self.sending):
            each.cancel()
        self._hang_up()
        waiting, self._waiting = list(self._waiting), deque()
        return waiting

    def retire(self, shards: Shards, new: Collection[Endpoint]) -> list[Message]:
        """Leave the server to which of the `new` ones took over its shard; what still waits."""
        successor = shards.of(self._last) if self._last else None
        if not self._delivery.words.is_sharded or self._resting or successor not in new:
            return self.abandon()
        self.successor = successor
        self._closing = True
        self._due.set()
        waiting, self._waiting = list(self._waiting), deque()
        return waiting

    async def _run(self) -> None:
        if self._after:
            await asyncio.wait(self._after)
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
                    self._resting = True
                    await self._clock.sleep(self._backoff.delay(failures))
                    self._resting = False
        if self.successor is not None:
            await self._hand_over(self.successor)

    async def _hand_over(self, successor: Endpoint) -> None:
        """Return when everything we said has reached the successor, and disconnect."""
        try:
            async with asyncio.timeout(self._delivery.timeout_seconds):
                line = await self._connected()
                await passed_on(self._last, line, successor, self._dialer)
        except FAILURES as error:
            about = {"server": str(self._endpoint), "error": str(error) or repr(error)}
            log.warning("bus publications may come late", extra=about)
        finally:
            self._hang_up()

    def _next(self) -> list[Message]:
        batch: list[Message] = []
        size = 0
        while self._waiting and len(batch) < AT_ONCE and size < BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][1])
        return batch

    async def _send(self, batch: Sequence[Message]) -> bool:
        """Send one batch; whether the server took it. What it did not take is dropped."""
        command = self._delivery.words.publish
        self._last, _ = batch[-1]
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
