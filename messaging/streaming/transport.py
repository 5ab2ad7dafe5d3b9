"""A stream over a transport of the event loop, once its response has begun."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from messaging.connections.connection import Connection
from messaging.connections.departures import Departures, WireOptions
from messaging.connections.wheel import TimerWheel
from messaging.protocol.codec import Codec
from messaging.protocol.codes import DisconnectCode
from messaging.streaming.forms import Form
from messaging.streaming.wire import StreamWire

EXTENSION: Final = "zaffa.stream"
"""Where the ASGI scope offers an endpoint to take the connection over.

What is called there returns the transport, and the protocols that are told when the server
stops; or None for a client that has left. The connection ends with the response.
"""

_LAST_CHUNK: Final = b"0\r\n\r\n"


class SocketStream(StreamWire, asyncio.Protocol):
    """Writes the chunks of the response itself: no task, no request, no HTTP server remains."""

    __slots__ = ("_over", "_peers", "_transport")

    def __init__(
        self,
        codec: Codec,
        form: Form,
        *,
        departures: Departures,
        wheel: TimerWheel,
        options: WireOptions,
    ) -> None:
        super().__init__(codec, form, departures=departures, wheel=wheel, options=options)

    _transport: asyncio.Transport
    _peers: set[Any]
    _over: Callable[["SocketStream"], None]

    def begin(
        self,
        connection: Connection,
        first: bytes,
        *,
        transport: asyncio.Transport,
        peers: set[Any],
        over: Callable[["SocketStream"], None],
    ) -> None:
        """Take a transport over; `first` is the client's frame, `over` hears of the end."""
        self.connection = connection
        self._transport, self._peers, self._over = transport, peers, over
        peers.add(self)
        transport.set_protocol(self)
        # Whoever sent more than one request was not read from any further.
        transport.resume_reading()
        if self._form.opening:
            self._put(self._form.opening)
        connection.received(first)

    # --- from the event loop -----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """The client has no more to say here, and was told so."""

    def eof_received(self) -> None:
        """The client writes no more: the transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = self._closing or 1.0
        self._peers.discard(self)
        self._wheel.forget(self)
        self.answers = self.batches = None
        self.connection.lost()
        self._over(self)

    def shutdown(self) -> None:
        """uvicorn stops and we were not drained before."""
        self.connection.disconnect(DisconnectCode.SHUTDOWN)

    # --- from the connection -----------------------------------------------------------------

    def abort(self) -> None:
        self._closing = self._closing or 1.0
        self._transport.abort()

    def _put(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        if self._transport.get_write_buffer_size() > self.options.backlog_bytes:
            self.departures.give_up(self)

    def _end(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%b\r\n%b" % (len(data), data, _LAST_CHUNK))
        self._transport.close()
