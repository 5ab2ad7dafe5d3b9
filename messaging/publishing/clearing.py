"""Letting go what a channel keeps, also where nodes hold some of it in memory."""

import msgspec

from kernel.bus import Bus, Publication
from messaging.delivery.following import Following
from messaging.nodes.control import CONTROL
from messaging.ports import PublicationStore


class Cleared(msgspec.Struct, frozen=True, tag="stream.cleared"):
    """A channel's publications were removed; what comes next has the offset that follows."""

    channel: str


_decoder = msgspec.json.Decoder(Cleared)


class Clearing:
    """Removes publications from the store, and then from the memory of every node.

    A node that does not hear of it may serve what it has in memory to clients that recover,
    until so much new has been published that nothing of it is left.
    """

    def __init__(self, *, store: PublicationStore, following: Following, bus: Bus) -> None:
        self._store = store
        self._following = following
        self._bus = bus

    async def clear(self, channel: str) -> None:
        """Let go all publications of a channel; its offsets go on."""
        await self._store.remove(channel)
        self._bus.publish([Publication(CONTROL, msgspec.json.encode(Cleared(channel)))])

    def take(self, publication: Publication) -> None:
        """Take news from the control channel, if they are about this."""
        try:
            channel = _decoder.decode(publication.data).channel
        except msgspec.DecodeError:
            return
        live = self._following.find(channel)
        if live is not None:
            live.forget_tail()
