"""Our uvicorn WebSocket protocol: the opening handshake, and the takeover after it.

The handshake is uvicorn's own, so accepting and rejecting is ordinary ASGI. Then the endpoint
takes the connection over: the handshake, its queue, scope and task are let go, and a
`SocketWire` of a few hundred bytes remains.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from messaging.connections.connection import Connection
from messaging.sockets.transport import SocketWire

EXTENSION: Final = "zaffa.takeover"
"""Where the ASGI scope offers the endpoint to take the connection over."""

EARLY_BYTES: Final = 65_536
"""Bytes kept for a client that speaks before the handshake is answered."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """The handshake, for `uvicorn --ws`. Endpoints that take nothing over work as ever.

    What arrives between the request and the takeover is kept as it came: a frame that is half
    here must not stay behind in the parser of the handshake.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Compression costs memory for each connection and delays small frames.
        self.conn.available_extensions = None
        self._early: bytearray | None = bytearray()

    def handle_connect(self, event: Request) -> None:
        offered = event.headers.get_all("Sec-WebSocket-Protocol")
        if offered and not any(each.strip() for each in offered):
            # Old Python clients send the header empty; they mean that they offer none.
            del event.headers["Sec-WebSocket-Protocol"]
        super().handle_connect(event)

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated or self._early is None:
            super().data_received(data)
            return
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self.transport.pause_reading()

    async def run_asgi(self) -> None:
        cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = self.takeover
        await super().run_asgi()

    async def receive(self) -> Any:
        early = self._early
        if self.handshake_complete and early is not None:
            # Somebody reads who did not take over, so this connection stays with uvicorn.
            self._early = None
            self.transport.resume_reading()
            if early:
                super().data_received(bytes(early))
        return await super().receive()

    def takeover(self, connection: Connection, wire: SocketWire) -> None:
        """Let `wire` have the connection, beginning with what the client said already."""
        assert self.handshake_complete, "only an accepted WebSocket can be taken over"
        assert self._early is not None, "whoever reads from a WebSocket cannot take it over"
        transport, early = self.transport, bytes(self._early)
        self.stop_keepalive()
        if transport.is_closing() or self.disconnected:
            # The client is gone, and the handshake is told of it, or was.
            connection.lost()
            return
        self.transport = _LET_GO
        self.connections.discard(self)
        wire.connection = connection
        wire.peers = self.connections
        wire.begin(transport)
        transport.set_protocol(wire)
        transport.resume_reading()
        if early:
            wire.data_received(early)


class _LetGo(asyncio.Transport):
    """What a handshake holds once its transport is in other hands."""

    def close(self) -> None:
        """The connection goes on without the handshake."""

    def is_closing(self) -> bool:
        return True


_LET_GO: Final = _LetGo()
