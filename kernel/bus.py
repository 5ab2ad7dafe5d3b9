"""The bus: carries news between nodes. What it loses, an offset finds."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A place in one life of a stream: comparable only within the same epoch."""

    offset: int
    epoch: str


@dataclass(frozen=True, slots=True)
class Publication:
    """One thing sent through a channel. `data` is JSON text in UTF-8, never re-encoded.

    With a position it belongs to a stream and can be found again; without one it is lost
    when nobody hears it. `extra` is what a room wants to travel beside the data; the bus
    carries it and does not look into it.
    """

    channel: str
    data: bytes
    position: StreamPosition | None = None
    extra: bytes = b""


@dataclass(frozen=True, slots=True)
class Gap:
    """News may have been lost on these channels; their streams must be read again."""

    channels: frozenset[str]


class Listener(Protocol):
    """One node's ear. Following a channel twice is harmless.

    `follow` returns once the bus has confirmed it: whatever is published afterwards is
    heard. Listening may begin before anything is followed.
    """

    async def follow(self, channels: frozenset[str]) -> None:
        """Hear these channels too.

        Raises `Unavailable` when the bus cannot confirm it in time; then they are heard as
        soon as it can, unless they are unfollowed.
        """
        ...

    async def unfollow(self, channels: frozenset[str]) -> None: ...

    def __aiter__(self) -> AsyncIterator[list[Publication | Gap]]:
        """What arrived since the last turn, in order per channel; never an empty list."""
        ...


class Bus(Protocol):
    """At most once, in order per channel. Losing the connection is reported as a `Gap`."""

    async def open(self) -> None:
        """Connect. Raises `Unavailable` when that fails now; later losses heal themselves."""
        ...

    async def close(self) -> None: ...

    def publish(self, publications: list[Publication]) -> None:
        """Hand over for sending; returns at once and never raises for a broken connection.

        Everything handed over within one turn of the event loop travels together.
        """
        ...

    def listen(self) -> AbstractAsyncContextManager[Listener]: ...

    async def healthy(self) -> bool:
        """Whether the bus answers now."""
        ...
