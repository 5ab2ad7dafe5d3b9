"""Waking over the bus, which all processes of a cluster share."""

from collections.abc import Callable

from kernel.bus import Bus, Publication

CHANNEL = "\0wakes"
"""No client can name it."""


class BusWakes:
    """Loses what the bus loses."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def say(self, words: str) -> None:
        self._bus.publish([Publication(CHANNEL, words.encode())])

    async def listen(self, hear: Callable[[str], None]) -> None:
        async with self._bus.listen() as listener:
            await listener.follow(frozenset({CHANNEL}))
            async for heard in listener:
                for each in heard:
                    if isinstance(each, Publication):
                        hear(each.data.decode())
