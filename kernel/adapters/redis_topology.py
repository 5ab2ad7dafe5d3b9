"""Which server serves a channel now: one server, the master that Sentinel names, or shards."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import hiredis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from kernel.adapters.redis_address import Endpoint, RedisAddress, Setup
from kernel.adapters.redis_wire import Dialer, Line, Refused, packed
from kernel.backoff import Backoff
from kernel.clock import Clock

log = logging.getLogger(__name__)

FAILURES = (OSError, TimeoutError, Refused)
"""What connections to Redis end with."""


class Shards:
    """The servers that take publications, and which of them serves what."""

    def __init__(
        self, primaries: Sequence[Endpoint], slots: "Sequence[Endpoint | None] | None" = None
    ) -> None:
        self.primaries = tuple(primaries)
        self._slots = slots

    def of(self, channel: bytes) -> Endpoint | None:
        """Who serves this channel; None while nobody does."""
        if self._slots is None:
            return self.primaries[0]
        return self._slots[key_slot(channel)]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Shards):
            return NotImplemented
        return self.primaries == other.primaries and self._slots == other._slots

    __hash__ = None  # type: ignore[assignment]


class Topology:
    """Knows who serves what, and looks again when somebody doubts it, and now and then.

    `watchers` are told after every look, whether or not anything changed.
    """

    def __init__(
        self,
        address: RedisAddress,
        dialer: Dialer,
        *,
        clock: Clock,
        backoff: Backoff,
        timeout_seconds: float,
        period_seconds: float,
    ) -> None:
        self.shards: Shards | None = None
        self.watchers: list[Callable[[Shards], None]] = []
        self._address = address
        self._dialer = dialer
        self._clock = clock
        self._backoff = backoff
        self._timeout = timeout_seconds
        self._period = period_seconds
        self._doubts = asyncio.Event()
        self._asked = 0
        if address.setup is Setup.ALONE:
            self.shards = Shards(address.endpoints)

    def doubt(self) -> None:
        """Somebody was not where they should be."""
        self._doubts.set()

    async def look(self) -> None:
        """Find out who serves what. Raises what went wrong when nobody can tell."""
        if self._address.setup is not Setup.ALONE:
            ask = self._ask_sentinel
            if self._address.setup is Setup.CLUSTER:
                ask = self._ask_cluster
            found = await self._first_answer(ask)
            if found != self.shards:
                self.shards = found
                primaries = ",".join(map(str, found.primaries))
                log.info("redis topology changed", extra={"primaries": primaries})
        assert self.shards is not None
        for tell in self.watchers:
            tell(self.shards)

    async def run(self) -> None:
        """Keep looking until cancelled."""
        fruitless = 0
        while True:
            try:
                async with asyncio.timeout(self._period):
                    await self._doubts.wait()
                fruitless += 1
                # Who looks too often sees that nothing has changed yet.
                await self._clock.sleep(self._backoff.delay(fruitless))
            except TimeoutError:
                fruitless = 0
            self._doubts.clear()
            try:
                await self.look()
            except FAILURES as error:
                log.warning("redis topology unknown", extra={"error": str(error) or repr(error)})
                self._doubts.set()

    async def _first_answer(self, ask: Callable[[Endpoint], Awaitable[Shards]]) -> Shards:
        """What the first of those who may know says, beginning with another one each time."""
        known = (
            self.shards.primaries if self._address.setup is Setup.CLUSTER and self.shards else ()
        )
        asked = list(dict.fromkeys([*known, *self._address.endpoints]))
        self._asked += 1
        failures: list[Exception] = []
        for number in range(len(asked)):
            endpoint = asked[(self._asked + number) % len(asked)]
            try:
                async with asyncio.timeout(self._timeout):
                    return await ask(endpoint)
            except FAILURES as error:
                failures.append(error)
        # An answer says more than that others are away.
        raise next((each for each in failures if isinstance(each, Refused)), failures[0])

    async def _ask_cluster(self, endpoint: Endpoint) -> Shards:
        reply = await _answer(await self._dialer.line(endpoint), "CLUSTER", "SLOTS")
        slots: list[Endpoint | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        try:
            for first, last, (host, port, *_), *_ in reply:
                # A node that does not know its own address is the one that was asked.
                known = host not in (None, b"", b"?")
                primary = Endpoint(host.decode() if known else endpoint.host, int(port))
                slots[first : last + 1] = [primary] * (last + 1 - first)
        except (TypeError, ValueError) as error:
            raise Refused("it does not say who serves what") from error
        primaries = sorted({each for each in slots if each is not None})
        if not primaries:
            raise Refused("the cluster has no slots yet")
        return Shards(primaries, slots)

    async def _ask_sentinel(self, endpoint: Endpoint) -> Shards:
        line = await self._dialer.sentinel_line(endpoint)
        words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.master)
        reply = await _answer(line, *words)
        if reply is None:
            raise Refused(f"no master is called {self._address.master}")
        host, port = reply
        return Shards([Endpoint(host.decode(), int(port))])


async def _answer(line: Line, *words: str) -> Any:
    """Ask one question and hang up."""
    assert line.wire is not None
    try:
        [reply] = await line.ask([packed(*words)])
    finally:
        line.wire.abort()
    if isinstance(reply, hiredis.ReplyError):
        raise Refused(str(reply))
    return reply
