"""Reads Redis subscriptions: one connection per shard, each of which heals itself.

redis-py was measured to spend ten times the processor time on each message. This knows
channels and payloads as bytes and nothing of what they mean.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import Any

from kernel.adapters.redis_address import Endpoint
from kernel.adapters.redis_ear import Ear, Ears, Words
from kernel.adapters.redis_topology import FAILURES, Shards, Topology
from kernel.adapters.redis_wire import Dialer, Refused
from kernel.backoff import Backoff
from kernel.clock import Clock
from kernel.errors import Unavailable

log = logging.getLogger(__name__)


class RedisReader:
    """Hears the channels it follows, wherever they are served.

    `heard` is called for each message, in the order of its channel. A channel that was lost,
    with its connection or because its slot moved, is told to `missed` once it is followed
    again; those that were asked of a server together are told together.
    """

    def __init__(
        self,
        *,
        topology: Topology,
        dialer: Dialer,
        words: Words,
        clock: Clock,
        backoff: Backoff,
        timeout_seconds: float,
        silence_seconds: float,
        heard: Callable[[bytes, bytes], None],
        missed: Callable[[frozenset[bytes]], None],
    ) -> None:
        self._topology = topology
        self._dialer = dialer
        self._words = words
        self._clock = clock
        self._backoff = backoff
        self._timeout = timeout_seconds
        self._silence = silence_seconds
        self._missed = missed
        self._tell = Ears(heard, self._confirmed, self._regained, self._turned_away)
        self._shards: Shards | None = None
        self._keepers: dict[Endpoint, asyncio.Task[None]] = {}
        self._ears: dict[Endpoint, Ear] = {}
        self._trouble = ""
        self._paused = False
        self._wanted: set[bytes] = set()
        self._lost: set[bytes] = set()
        self._homeless: set[bytes] = set()
        self._waiting: dict[bytes, list[_Confirmations]] = {}

    async def run(self) -> None:
        """Stay connected until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:

                def arrange(shards: Shards) -> None:
                    self._arrange(shards, group)

                self._topology.watchers.append(arrange)
                try:
                    if self._topology.shards is not None:
                        arrange(self._topology.shards)
                    await asyncio.get_running_loop().create_future()
                finally:
                    self._topology.watchers.remove(arrange)
        finally:
            self._keepers.clear()

    async def follow(self, channels: frozenset[bytes]) -> None:
        """Return once Redis has confirmed every channel.

        Raises `Unavailable` if that takes too long; they are followed as soon as it can be.
        """
        self._wanted |= channels
        missing = [each for each in channels if not self._is_heard(each)]
        if not missing:
            return
        confirmations = _Confirmations(len(missing))
        for channel in missing:
            self._waiting.setdefault(channel, []).append(confirmations)
        self._place(missing)
        try:
            async with asyncio.timeout(self._timeout):
                await confirmations.complete
        except TimeoutError:
            raise Unavailable(
                "Redis did not confirm a subscription in time.", reason=self._trouble
            ) from None
        finally:
            self._stop_waiting(missing, confirmations)

    def unfollow(self, channels: frozenset[bytes]) -> None:
        """Hear these no more, from now on."""
        known = channels & self._wanted
        self._wanted -= known
        self._lost -= known
        self._homeless -= known
        for ear in self._ears.values():
            ear.drop(known)

    def pause(self) -> None:
        """Read nothing for a while, so that what is heard does not pile up here."""
        self._paused = True
        for ear in self._ears.values():
            if ear.wire is not None:
                ear.wire.pause()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        for ear in self._ears.values():
            if ear.wire is not None:
                ear.wire.resume()

    # --- servers -------------------------------------------------------------------------------

    def _arrange(self, shards: Shards, group: asyncio.TaskGroup) -> None:
        """Have a connection to every server, and every channel where it is served."""
        if shards != self._shards:
            self._shards = shards
            for endpoint in self._keepers.keys() - set(shards.primaries):
                self._leave(endpoint)
                self._keepers.pop(endpoint).cancel()
            for endpoint, ear in self._ears.items():
                strays = {each for each in ear.channels if shards.of(each) != endpoint}
                self._lost |= strays & ear.confirmed
                self._homeless |= strays & self._wanted
                ear.drop(strays)
            for endpoint in shards.primaries:
                if endpoint not in self._keepers:
                    self._keepers[endpoint] = group.create_task(self._keep(endpoint))
        homeless, self._homeless = self._homeless, set()
        self._place(homeless)

    async def _keep(self, endpoint: Endpoint) -> None:
        """Stay connected to one server."""
        failures = 0
        while True:
            try:
                await self._connect(endpoint)
                failures = 0
                await self._attend(self._ears[endpoint])
            except FAILURES as error:
                failures += 1
                self._trouble = str(error) or repr(error)
                log.warning(
                    "redis subscription lost",
                    extra={"server": str(endpoint), "error": self._trouble},
                )
                self._topology.doubt()
            finally:
                if self._keepers.get(endpoint) is asyncio.current_task():
                    self._leave(endpoint)
            await self._clock.sleep(self._backoff.delay(failures))

    async def _connect(self, endpoint: Endpoint) -> None:
        ear = Ear(self._words, self._tell)
        async with asyncio.timeout(self._timeout):
            ear.wire = await self._dialer.dial(endpoint, ear.took)
        if self._paused:
            ear.wire.pause()
        self._ears[endpoint] = ear
        shards = self._shards
        assert shards is not None, "servers are known before they are connected to"
        self._homeless -= {each for each in self._homeless if shards.of(each) == endpoint}
        here = [each for each in self._wanted if shards.of(each) == endpoint]
        ear.ask(here, lost=self._lost.intersection(here))

    async def _attend(self, ear: Ear) -> None:
        """Watch over a connection until it ends, and end it if it falls silent."""
        wire = ear.wire
        assert wire is not None
        probed = False
        while True:
            silence = asyncio.create_task(self._clock.sleep(self._silence))
            either: list[asyncio.Future[Any]] = [wire.ended, silence]
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                silence.cancel()
            if wire.ended.done():
                raise wire.ended.result()
            if wire.alive or self._paused:
                wire.alive = probed = False
            elif probed:
                raise Refused("it does not answer any more")
            else:
                wire.send(b"PING")
                probed = True

    def _leave(self, endpoint: Endpoint) -> None:
        """There is no connection to this server any more; what it served may miss something."""
        ear = self._ears.pop(endpoint, None)
        if ear is not None:
            assert ear.wire is not None
            ear.wire.abort()
            self._lost |= ear.confirmed
            # Another server may have them by now; this one is asked when it is back.
            self._homeless |= ear.channels & self._wanted

    # --- channels ------------------------------------------------------------------------------

    def _place(self, channels: Iterable[bytes]) -> None:
        """Ask for channels where they are served; later, if that is not connected now."""
        places: dict[Ear, list[bytes]] = defaultdict(list)
        for channel in channels:
            ear = self._ear_of(channel)
            if ear is None:
                self._homeless.add(channel)
            else:
                places[ear].append(channel)
        for ear, some in places.items():
            self._homeless.difference_update(some)
            ear.ask(some, lost=self._lost.intersection(some))

    def _ear_of(self, channel: bytes) -> Ear | None:
        """The connection to who serves a channel, if there is one."""
        endpoint = self._shards.of(channel) if self._shards is not None else None
        return self._ears.get(endpoint) if endpoint is not None else None

    def _is_heard(self, channel: bytes) -> bool:
        ear = self._ear_of(channel)
        return ear is not None and channel in ear.confirmed

    def _confirmed(self, channel: bytes) -> None:
        for confirmations in self._waiting.pop(channel, ()):
            confirmations.one()

    def _regained(self, channels: frozenset[bytes]) -> None:
        self._lost -= channels
        self._missed(channels)

    def _turned_away(self, channel: bytes, was_confirmed: bool) -> None:
        if channel in self._wanted:
            self._homeless.add(channel)
            if was_confirmed:
                self._lost.add(channel)
            self._topology.doubt()

    def _stop_waiting(self, channels: Collection[bytes], confirmations: "_Confirmations") -> None:
        for channel in channels:
            others = self._waiting.get(channel)
            if others is not None and confirmations in others:
                others.remove(confirmations)
                if not others:
                    del self._waiting[channel]


class _Confirmations:
    """How many confirmations somebody still waits for."""

    def __init__(self, missing: int) -> None:
        self._missing = missing
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def one(self) -> None:
        self._missing -= 1
        if not self._missing and not self.complete.done():
            self.complete.set_result(None)
