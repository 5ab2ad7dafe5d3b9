"""Partings: who is in an event no more stops hearing of it, on every node."""

from collections.abc import Sequence

from kernel.bus import Bus
from kernel.outbox import Claimed, Entry
from messaging.channels.names import event_channel
from messaging.facts import event_left_of
from messaging.nodes.control import LEFT, Unsubscribe, publication_of_order
from messaging.outside import Gatherings


class Partings:
    """The relay's handler of entries of the kind `event.left`."""

    def __init__(self, *, gatherings: Gatherings, bus: Bus) -> None:
        self._gatherings = gatherings
        self._bus = bus

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """Tell every node who left; whoever misses it looks at who listens."""
        gone = [event_left_of(entry.payload) for entry in entries]
        pairs = {(each.event_id, each.user_id) for each in gone}
        # They may have come back since.
        for event_id, user_id in sorted(pairs - set(await self._gatherings.present(pairs))):
            channel = event_channel(event_id)
            order = Unsubscribe(user_id=user_id, channel=channel, code=LEFT)
            self._bus.publish([publication_of_order(order)])
        return ()
