"""The bus of one process: what is published is heard in the same event loop."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kernel.bus import Gap, Publication


class MemoryBus:
    """Loses nothing, so it never reports a gap. For the embedded house, and for tests."""

    def __init__(self) -> None:
        self._followers: dict[str, set[MemoryListener]] = defaultdict(set)

    async def open(self) -> None:
        """Nothing to connect."""

    async def close(self) -> None:
        """Nothing to end."""

    def publish(self, publications: list[Publication]) -> None:
        for publication in publications:
            for follower in self._followers.get(publication.channel, ()):
                follower.hear(publication)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator["MemoryListener"]:
        listener = MemoryListener(self._followers)
        try:
            yield listener
        finally:
            listener.leave()

    async def healthy(self) -> bool:
        return True


class MemoryListener:
    """One ear of a `MemoryBus`."""

    def __init__(self, followers: "dict[str, set[MemoryListener]]") -> None:
        self._followers = followers
        self._channels: set[str] = set()
        self._heard: list[Publication | Gap] = []
        self._news = asyncio.Event()

    async def follow(self, channels: frozenset[str]) -> None:
        for channel in channels:
            self._followers[channel].add(self)
        self._channels |= channels

    async def unfollow(self, channels: frozenset[str]) -> None:
        for channel in channels & self._channels:
            self._followers[channel].discard(self)
            if not self._followers[channel]:
                del self._followers[channel]
        self._channels -= channels

    async def __aiter__(self) -> AsyncIterator[list[Publication | Gap]]:
        while True:
            await self._news.wait()
            self._news.clear()
            heard, self._heard = self._heard, []
            yield heard

    def hear(self, publication: Publication) -> None:
        """Take what was published; it is handed out at the next turn."""
        self._heard.append(publication)
        self._news.set()

    def leave(self) -> None:
        """Follow nothing any more."""
        for channel in self._channels:
            self._followers[channel].discard(self)
            if not self._followers[channel]:
                del self._followers[channel]
        self._channels.clear()
