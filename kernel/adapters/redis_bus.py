"""The bus of a cluster, on Redis: plain pub/sub, or sharded pub/sub on a Redis Cluster."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from kernel.adapters.redis_address import Setup
from kernel.adapters.redis_ear import PLAIN, SHARDED
from kernel.adapters.redis_options import RedisOptions
from kernel.adapters.redis_reader import RedisReader
from kernel.adapters.redis_speaker import Delivery, RedisSpeaker
from kernel.adapters.redis_topology import FAILURES, Topology
from kernel.adapters.redis_wire import Dialer
from kernel.backoff import Backoff
from kernel.bus import Gap, Publication, StreamPosition
from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.metrics import Metrics


class RedisBus:
    """Whatever waits is sent as one batch per server; nobody waits for it.

    While a server is away its publications are dropped and counted: their streams heal by
    offset.
    """

    def __init__(
        self,
        options: RedisOptions,
        *,
        clock: Clock,
        metrics: Metrics,
        backoff: Backoff = Backoff(first=0.1, cap=5.0, floor=0.02),  # noqa: B008
    ) -> None:
        self._options = options
        self._clock = clock
        self._backoff = backoff
        self._prefix = options.prefix.encode()
        self._words = SHARDED if options.address.setup is Setup.CLUSTER else PLAIN
        self._dialer = Dialer(options)
        self._topology = Topology(
            options.address,
            self._dialer,
            clock=clock,
            backoff=backoff,
            timeout_seconds=options.timeout_seconds,
            period_seconds=options.silence_seconds,
        )
        counted = metrics.counter(
            "kernel_bus_publications_total", "Publications by outcome.", ["outcome"]
        )
        self._speaker = RedisSpeaker(
            Delivery(
                words=self._words,
                timeout_seconds=options.timeout_seconds,
                waiting=options.waiting,
                sent=counted.labels("sent").inc,
                dropped=counted.labels("dropped").inc,
            ),
            topology=self._topology,
            dialer=self._dialer,
            clock=clock,
            backoff=backoff,
        )
        self._gaps = metrics.counter(
            "kernel_bus_gaps_total", "Subscriptions that were lost and replaced."
        )
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        try:
            await self._topology.look()
            await self._speaker.open()
        except FAILURES as error:
            await self._speaker.close()
            reason = str(error) or "it took too long"
            raise Unavailable("Redis does not answer.", reason=reason) from error
        self._looking = asyncio.create_task(self._topology.run(), name="redis-bus-topology")

    async def close(self) -> None:
        if self._looking is None:
            return
        self._looking.cancel()
        with suppress(asyncio.CancelledError):
            await self._looking
        self._looking = None
        await self._speaker.close()

    def publish(self, publications: list[Publication]) -> None:
        self._speaker.say(
            [(self._prefix + each.channel.encode(), packed(each)) for each in publications]
        )

    @asynccontextmanager
    async def listen(self) -> AsyncIterator["RedisListener"]:
        listener = RedisListener(self._prefix, limit=self._options.waiting, gaps=self._gaps.inc)
        reader = RedisReader(
            topology=self._topology,
            dialer=self._dialer,
            words=self._words,
            clock=self._clock,
            backoff=self._backoff,
            timeout_seconds=self._options.timeout_seconds,
            silence_seconds=self._options.silence_seconds,
            heard=listener.hear,
            missed=listener.miss,
        )
        reading = asyncio.create_task(reader.run(), name="redis-bus-reader")
        listener.attach(reader, reading)
        try:
            yield listener
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def healthy(self) -> bool:
        if self._looking is None or self._looking.done():
            return False
        return await self._speaker.healthy()


class RedisListener:
    """One node's ear: what its reader hears, as publications and gaps."""

    def __init__(self, prefix: bytes, *, limit: int, gaps: Callable[[], None]) -> None:
        self._prefix = prefix
        self._limit = limit
        self._gaps = gaps
        self._names: dict[bytes, str] = {}
        self._arrived: list[Publication | Gap] = []
        self._news = asyncio.Event()
        self._reader: RedisReader | None = None
        self._reading: asyncio.Task[None] | None = None
        self._paused = False

    def attach(self, reader: RedisReader, reading: "asyncio.Task[None]") -> None:
        """Say who reads for this listener."""
        self._reader = reader
        self._reading = reading
        reading.add_done_callback(lambda _: self._news.set())

    async def follow(self, channels: frozenset[str]) -> None:
        assert self._reader is not None
        wired = {self._prefix + channel.encode(): channel for channel in channels}
        self._names.update(wired)
        await self._reader.follow(frozenset(wired))

    async def unfollow(self, channels: frozenset[str]) -> None:
        assert self._reader is not None
        wired = frozenset(self._prefix + channel.encode() for channel in channels)
        self._reader.unfollow(wired)
        for channel in wired:
            self._names.pop(channel, None)

    async def __aiter__(self) -> AsyncIterator[list[Publication | Gap]]:
        assert self._reader is not None
        assert self._reading is not None
        while True:
            await self._news.wait()
            self._news.clear()
            if self._reading.done():
                self._reading.result()
                return
            arrived, self._arrived = self._arrived, []
            if self._paused:
                self._paused = False
                self._reader.resume()
            yield arrived

    def hear(self, channel: bytes, payload: bytes) -> None:
        """Take one message from the reader."""
        publication = unpacked(self._names[channel], payload)
        if publication is None:
            return
        self._arrived.append(publication)
        self._news.set()
        if len(self._arrived) >= self._limit and not self._paused:
            # Redis holds the rest, until it loses patience and a gap tells of it.
            self._paused = True
            assert self._reader is not None
            self._reader.pause()

    def miss(self, channels: frozenset[bytes]) -> None:
        """Take the news of a replaced connection from the reader."""
        self._arrived.append(Gap(frozenset(self._names[channel] for channel in channels)))
        self._gaps()
        self._news.set()


def packed(publication: Publication) -> bytes:
    """A publication on the wire: a head, a new line, the extra, the data.

    The head is `1:<offset>:<epoch>`, or `1` without a position; with an extra it begins with 2
    and ends with the extra's length: `2:<length>:<offset>:<epoch>`.
    """
    position, extra = publication.position, publication.extra
    head = b"2:%d" % len(extra) if extra else b"1"
    if position is not None:
        head = b"%b:%d:%b" % (head, position.offset, position.epoch.encode())
    return b"%b\n%b%b" % (head, extra, publication.data)


def unpacked(channel: str, payload: bytes) -> Publication | None:
    """The publication that `payload` carries; None if a later release or a stranger sent it.

    A cluster may run two releases for a while; what one of them cannot read is found by its
    offset, as everything that gets lost.
    """
    head, _, data = payload.partition(b"\n")
    version, _, place = head.partition(b":")
    extra = b""
    try:
        if version == b"2":
            size, _, place = place.partition(b":")
            length = int(size)
            if not 0 <= length <= len(data):
                return None
            extra, data = data[:length], data[length:]
        elif version != b"1":
            return None
        if not place:
            return Publication(channel, data, None, extra)
        offset, colon, epoch = place.partition(b":")
        if not colon:
            return None
        return Publication(channel, data, StreamPosition(int(offset), epoch.decode()), extra)
    except ValueError:
        return None
