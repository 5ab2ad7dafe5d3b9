"""The subscriptions of one connection: what was asked, confirmed, and turned away."""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import hiredis
from redis.crc import key_slot

from kernel.adapters.redis_wire import AT_ONCE, Refused, Wire, packed

_ELSEWHERE = ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN")
"""How Redis says that another server has the channel, or will have it soon."""


@dataclass(frozen=True, slots=True)
class Words:
    """How one kind of publishing is called on the wire."""

    publish: bytes
    subscribe: bytes
    unsubscribe: bytes
    message: bytes
    is_sharded: bool

    @property
    def together(self) -> int:
        """Channels in one command: those of different slots may not share one."""
        return 1 if self.is_sharded else AT_ONCE


PLAIN = Words(b"PUBLISH", b"subscribe", b"unsubscribe", b"message", is_sharded=False)
SHARDED = Words(b"SPUBLISH", b"ssubscribe", b"sunsubscribe", b"smessage", is_sharded=True)


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told what a connection hears."""

    heard: Callable[[bytes, bytes], None]
    """One message of a channel that is confirmed."""
    confirmed: Callable[[bytes], None]
    """Whatever is published on this channel from now on is heard."""
    regained: Callable[[frozenset[bytes]], None]
    """All channels that were asked for as lost ones are confirmed."""
    turned_away: Callable[[bytes, bool], None]
    """The channel is served elsewhere, and whether it was confirmed here."""


class Ear:
    """Lives as long as its wire. The last command about a channel decides about it."""

    def __init__(self, words: Words, tell: Ears) -> None:
        self.wire: Wire | None = None
        self.confirmed: set[bytes] = set()
        self._words = words
        self._tell = tell
        # Redis answers in this order; what it says beside it says of itself.
        self._expected: deque[tuple[bytes, bytes]] = deque()
        self._pending: dict[bytes, int] = {}
        self._regaining: set[bytes] = set()
        self._regained: set[bytes] = set()

    @property
    def channels(self) -> set[bytes]:
        """All that were asked for and not left."""
        return self.confirmed | self._pending.keys()

    def ask(self, channels: Collection[bytes], *, lost: Collection[bytes] = ()) -> None:
        """Subscribe; those that were `lost` elsewhere are reported together when it is done."""
        self._regaining.update(lost)
        self._command(self._words.subscribe, channels)

    def drop(self, channels: Collection[bytes]) -> None:
        """Hear these no more, from now on."""
        known = [each for each in channels if each in self.confirmed or each in self._pending]
        self.confirmed.difference_update(known)
        self._command(self._words.unsubscribe, known)
        self._regaining.difference_update(known)
        self._regained.difference_update(known)
        self._report()

    def took(self, reply: Any) -> None:
        """Take what the wire brought. Raises `Refused` for what ends the connection."""
        if isinstance(reply, list):
            kind = reply[0]
            if kind == self._words.message:
                if reply[1] in self.confirmed:
                    self._tell.heard(reply[1], reply[2])
            elif kind == self._words.subscribe or kind == self._words.unsubscribe:
                self._answered(kind, reply[1])
        elif isinstance(reply, hiredis.ReplyError):
            self._declined(str(reply))

    def _command(self, command: bytes, channels: Iterable[bytes]) -> None:
        assert self.wire is not None
        waiting = iter(channels)
        while some := list(islice(waiting, AT_ONCE)):
            for channel in some:
                self._pending[channel] = self._pending.get(channel, 0) + 1
                self._expected.append((command, channel))
            together = self._words.together
            self.wire.write(
                b"".join(
                    packed(command, *some[start : start + together])
                    for start in range(0, len(some), together)
                )
            )

    def _answered(self, kind: bytes, channel: bytes) -> None:
        if self._expected and self._expected[0] == (kind, channel):
            # The name that was asked for is kept, not another copy of it.
            _, channel = self._expected.popleft()
            if self._settled(channel) and kind == self._words.subscribe:
                self._confirm(channel)
        elif kind == self._words.unsubscribe:
            # Its slot moved to another shard.
            self._turn_away(channel)
        else:
            raise Refused("it confirms what was not asked")

    def _declined(self, error: str) -> None:
        if not self._words.is_sharded or not error.startswith(_ELSEWHERE):
            raise Refused(error)
        if not self._is_answered_by(error):
            return  # We left a channel that the server had just ended by itself.
        kind, channel = self._expected.popleft()
        if self._settled(channel) and kind == self._words.subscribe:
            self._turn_away(channel)

    def _is_answered_by(self, error: str) -> bool:
        """Whether the next command that waits for an answer may have been given this one."""
        if not self._expected:
            return False
        word, slot, *_ = error.split(" ")
        return word != "MOVED" or key_slot(self._expected[0][1]) == int(slot)

    def _settled(self, channel: bytes) -> bool:
        """Whether this was the answer to the last command about the channel."""
        self._pending[channel] -= 1
        if self._pending[channel]:
            return False
        del self._pending[channel]
        return True

    def _confirm(self, channel: bytes) -> None:
        self.confirmed.add(channel)
        self._tell.confirmed(channel)
        if channel in self._regaining:
            self._regaining.discard(channel)
            self._regained.add(channel)
        self._report()

    def _turn_away(self, channel: bytes) -> None:
        was_confirmed = channel in self.confirmed
        self.confirmed.discard(channel)
        self._regaining.discard(channel)
        self._regained.discard(channel)
        self._tell.turned_away(channel, was_confirmed)
        self._report()

    def _report(self) -> None:
        if self._regained and not self._regaining:
            regained, self._regained = frozenset(self._regained), set()
            self._tell.regained(regained)
