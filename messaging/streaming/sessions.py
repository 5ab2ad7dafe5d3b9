"""Streams that are spoken to by other requests, which may reach any node."""

from collections.abc import Callable
from hmac import compare_digest
from typing import Final

import msgspec

from kernel.bus import Bus, Publication
from messaging.nodes.control import node_channel
from messaging.sockets.gateway import new_session
from messaging.streaming.wire import StreamWire

_HANDLE: Final = 12
"""How much of a session finds it. The rest is the secret, compared in constant time."""


class _Said(msgspec.Struct, frozen=True, tag="said"):
    """Announces a frame from another node, which follows as it is."""

    session: str


_said = msgspec.json.Decoder(_Said)


class Sessions:
    """This node's streams by their session, and the way to those of other nodes."""

    def __init__(self, *, node_id: str, bus: Bus, may_live: Callable[[str], bool]) -> None:
        self._node_id = node_id
        self._bus = bus
        self._may_live = may_live
        self._wires: dict[str, StreamWire] = {}

    def open(self, wire: StreamWire) -> None:
        """Let a stream be found by a new session, until it is closed."""
        wire.session = new_session()
        wire.node = self._node_id
        self._wires[wire.session[:_HANDLE]] = wire

    def close(self, wire: StreamWire) -> None:
        """The stream is over."""
        self._wires.pop(wire.session[:_HANDLE], None)

    def say(self, frame: bytes, *, session: str, node: str) -> bool:
        """Hand a frame to a session's stream, or to the node that holds it.

        Whether there may be such a node. A session that is gone is none of the sender's business:
        its stream has ended, and says so better.
        """
        if node == self._node_id:
            self._hear(session, frame)
        elif self._may_live(node):
            said = msgspec.json.encode(_Said(session))
            self._bus.publish([Publication(node_channel(node), said, extra=frame)])
        else:
            return False
        return True

    def take(self, publication: Publication) -> None:
        """Take what another node sent here, if it is a frame."""
        try:
            said = _said.decode(publication.data)
        except msgspec.DecodeError:
            return
        self._hear(said.session, publication.extra)

    def _hear(self, session: str, frame: bytes) -> None:
        wire = self._wires.get(session[:_HANDLE])
        if wire is not None and compare_digest(session.encode(), wire.session.encode()):
            wire.received(frame)
