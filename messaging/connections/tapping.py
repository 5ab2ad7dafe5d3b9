"""Where somebody who traces listens in on this node's connections. Nobody does: it is None."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from messaging.connections.connection import Connection
    from messaging.connections.departures import Wire
    from messaging.protocol.codec import Codec


class Tap(Protocol):
    """Told as things happen; must neither wait nor raise, and change nothing.

    It hangs at `Departures.tap`, one for the whole node: whoever passes by looks whether it is
    there, and that is all it costs while nobody traces.
    """

    def entered(self, connection: "Connection") -> None:
        """A connection said who it is."""
        ...

    def heard(self, wire: "Wire", frame: bytes) -> None:
        """A client sent a frame."""
        ...

    def answered(self, wire: "Wire", answer: bytes) -> None:
        """One client is sent a reply or a push."""
        ...

    def pushed(self, wires: Collection["Wire"], codec: "Codec", encoded: bytes) -> None:
        """All these clients are sent what a channel has for them."""
        ...

    def joined(self, connection: "Connection", channel: str) -> None:
        """A connection listens to a channel now."""
        ...

    def quit(self, connection: "Connection", channel: str) -> None:
        """A connection listens to a channel no more."""
        ...

    def closed(self, wire: "Wire", code: int, reason: str) -> None:
        """We close a connection."""
        ...

    def left(self, connection: "Connection") -> None:
        """A connection is over, whoever ended it."""
        ...
