"""The bus of a cluster, on Redis pub/sub. Redis Cluster and Valkey carry it as well."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from kernel.adapters.redis_options import RedisOptions
from kernel.adapters.redis_reader import RedisReader
from kernel.backoff import Backoff
from kernel.bus import Gap, Publication, StreamPosition
from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.metrics import Metrics

log = logging.getLogger(__name__)

_BATCH = 512
"""Publications in one pipeline."""


class RedisBus:
    """One flusher per process sends whatever waits as one pipeline; nobody waits for it.

    While Redis is away publications are dropped and counted: their streams heal by offset.
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
        self._waiting: deque[Publication] = deque()
        self._due = asyncio.Event()
        self._closing = False
        self._client: Redis | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._sent = metrics.counter(
            "kernel_bus_publications_total", "Publications by outcome.", ["outcome"]
        )
        self._gaps = metrics.counter(
            "kernel_bus_gaps_total", "Subscriptions that were lost and replaced."
        )

    async def open(self) -> None:
        self._client = Redis.from_url(
            self._options.url,
            socket_timeout=self._options.timeout_seconds,
            socket_connect_timeout=self._options.timeout_seconds,
            # A pipeline sent twice would tell things twice: at most once is the promise.
            retry=Retry(NoBackoff(), 0),
        )
        try:
            await self._client.ping()
        except (RedisError, OSError) as error:
            await self._client.aclose()
            raise Unavailable("Redis does not answer.", reason=str(error)) from error
        self._flusher = asyncio.create_task(self._flush(self._client), name="redis-bus-flusher")

    async def close(self) -> None:
        if self._client is None or self._flusher is None:
            return
        self._closing = True
        self._due.set()
        await asyncio.wait({self._flusher}, timeout=self._options.timeout_seconds)
        self._flusher.cancel()
        with suppress(asyncio.CancelledError):
            await self._flusher
        await self._client.aclose()
        self._client = None

    def publish(self, publications: list[Publication]) -> None:
        room = self._options.waiting - len(self._waiting)
        if len(publications) > room:
            self._sent.labels("dropped").inc(len(publications) - room)
        self._waiting.extend(publications[:room])
        self._due.set()

    @asynccontextmanager
    async def listen(self) -> AsyncIterator["RedisListener"]:
        listener = RedisListener(self._prefix, limit=self._options.waiting, gaps=self._gaps.inc)
        reader = RedisReader(
            url=self._options.url,
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
        if self._client is None or self._flusher is None or self._flusher.done():
            return False
        try:
            return bool(await self._client.ping())
        except (RedisError, OSError):
            return False

    async def _flush(self, client: Redis) -> None:
        failures = 0
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                if await self._send(client):
                    failures = 0
                elif self._closing:
                    return
                else:
                    failures += 1
                    await self._clock.sleep(self._backoff.delay(failures))
            if self._closing:
                return

    async def _send(self, client: Redis) -> bool:
        """Send one pipeline; whether Redis took it. What it did not take is dropped."""
        count = min(_BATCH, len(self._waiting))
        batch = [self._waiting.popleft() for _ in range(count)]
        pipeline = client.pipeline(transaction=False)
        for publication in batch:
            # SPUBLISH in a Redis Cluster.
            pipeline.execute_command(
                "PUBLISH", self._prefix + publication.channel.encode(), packed(publication)
            )
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            self._sent.labels("dropped").inc(count)
            log.warning("bus publications dropped", extra={"count": count, "error": str(error)})
            return False
        refused = [answer for answer in answers if isinstance(answer, Exception)]
        self._sent.labels("sent").inc(count - len(refused))
        if refused:
            self._sent.labels("dropped").inc(len(refused))
            log.warning(
                "bus publications refused",
                extra={"count": len(refused), "error": str(refused[0])},
            )
        return not refused


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
