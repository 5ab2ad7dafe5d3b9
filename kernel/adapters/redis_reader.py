"""Reads Redis subscriptions: one connection that heals itself, parsed by hiredis.

redis-py was measured to spend ten times the processor time on each message. This knows
channels and payloads as bytes and nothing of what they mean.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from kernel.adapters.redis_wire import Refused, Wire, dial, target_of
from kernel.backoff import Backoff
from kernel.clock import Clock
from kernel.errors import Unavailable

log = logging.getLogger(__name__)

# In a Redis Cluster these become SSUBSCRIBE, SUNSUBSCRIBE and their replies, with one reader
# for each shard and a channel given to the shard of its slot.
_SUBSCRIBE, _UNSUBSCRIBE = b"SUBSCRIBE", b"UNSUBSCRIBE"
_MESSAGE, _SUBSCRIBED = b"message", b"subscribe"


class RedisReader:
    """Hears the channels it follows, over as many connections in turn as it takes.

    `heard` is called for each message, in the order of its channel; `missed` once a lost
    connection was replaced and every channel of it is followed again.
    """

    def __init__(
        self,
        *,
        url: str,
        clock: Clock,
        backoff: Backoff,
        timeout_seconds: float,
        silence_seconds: float,
        heard: Callable[[bytes, bytes], None],
        missed: Callable[[frozenset[bytes]], None],
    ) -> None:
        self._target = target_of(url)
        self._clock = clock
        self._backoff = backoff
        self._timeout = timeout_seconds
        self._silence = silence_seconds
        self._heard = heard
        self._missed = missed
        self._wire: Wire | None = None
        self._paused = False
        self._wanted: set[bytes] = set()
        self._asked: dict[bytes, int] = {}
        self._confirmed: set[bytes] = set()
        self._lost: set[bytes] = set()
        self._regaining: set[bytes] = set()
        self._waiting: dict[bytes, list[_Confirmations]] = {}

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            try:
                await self._connect()
                failures = 0
                await self._attend()
            except (OSError, TimeoutError, Refused) as error:
                failures += 1
                log.warning("redis subscription lost", extra={"error": str(error) or repr(error)})
            finally:
                self._disconnect()
            await self._clock.sleep(self._backoff.delay(failures))

    async def follow(self, channels: frozenset[bytes]) -> None:
        """Return once Redis has confirmed every channel.

        Raises `Unavailable` if that takes too long; they are followed as soon as it can be.
        """
        self._wanted |= channels
        missing = channels - self._confirmed
        if not missing:
            return
        self._ask(missing)
        confirmations = _Confirmations(len(missing))
        for channel in missing:
            self._waiting.setdefault(channel, []).append(confirmations)
        try:
            async with asyncio.timeout(self._timeout):
                await confirmations.complete
        except TimeoutError:
            raise Unavailable("Redis did not confirm a subscription in time.") from None
        finally:
            self._stop_waiting(missing, confirmations)

    def unfollow(self, channels: frozenset[bytes]) -> None:
        """Hear these no more, from now on."""
        known = channels & self._wanted
        self._wanted -= known
        self._confirmed -= known
        self._forget_lost(known)
        if self._wire is not None and known:
            self._wire.send_for(_UNSUBSCRIBE, known)

    def pause(self) -> None:
        """Read nothing for a while, so that what is heard does not pile up here."""
        self._paused = True
        if self._wire is not None:
            self._wire.pause()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if self._wire is not None:
            self._wire.resume()

    async def _connect(self) -> None:
        async with asyncio.timeout(self._timeout):
            wire = self._wire = await dial(self._target, self._took)
        if self._paused:
            wire.pause()
        self._lost |= self._confirmed
        self._confirmed.clear()
        self._regaining = set(self._lost)
        self._ask(self._wanted)

    async def _attend(self) -> None:
        """Watch over a connection until it ends, and end it if it falls silent."""
        wire = self._wire
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

    def _disconnect(self) -> None:
        if self._wire is not None:
            self._wire.abort()
            self._wire = None
        self._asked.clear()

    def _ask(self, channels: Iterable[bytes]) -> None:
        if self._wire is None:
            return  # Once there is a connection, it is asked for everything that is wanted.
        for channel in channels:
            self._asked[channel] = self._asked.get(channel, 0) + 1
        self._wire.send_for(_SUBSCRIBE, channels)

    def _took(self, reply: list[Any]) -> None:
        if reply[0] == _MESSAGE:
            if reply[1] in self._wanted:
                self._heard(reply[1], reply[2])
        elif reply[0] == _SUBSCRIBED:
            self._confirm(reply[1])

    def _confirm(self, channel: bytes) -> None:
        self._asked[channel] -= 1
        if self._asked[channel]:
            return  # It was left and followed again; this answers the first time.
        del self._asked[channel]
        if channel in self._wanted:
            self._confirmed.add(channel)
        for confirmations in self._waiting.pop(channel, ()):
            confirmations.one()
        self._regaining.discard(channel)
        self._report()

    def _stop_waiting(self, channels: Iterable[bytes], confirmations: "_Confirmations") -> None:
        for channel in channels:
            others = self._waiting.get(channel)
            if others is not None and confirmations in others:
                others.remove(confirmations)
                if not others:
                    del self._waiting[channel]

    def _forget_lost(self, channels: frozenset[bytes]) -> None:
        self._lost -= channels
        self._regaining -= channels
        self._report()

    def _report(self) -> None:
        if self._lost and not self._regaining:
            lost, self._lost = frozenset(self._lost), set()
            self._missed(lost)


class _Confirmations:
    """How many confirmations somebody still waits for."""

    def __init__(self, missing: int) -> None:
        self._missing = missing
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def one(self) -> None:
        self._missing -= 1
        if not self._missing and not self.complete.done():
            self.complete.set_result(None)
