"""HTTP as uvicorn reads it, but a request's head has a size and must arrive in time."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from messaging.streaming.transport import EXTENSION

log = logging.getLogger(__name__)

Upgrade = Callable[[bytes, asyncio.Transport, set[Any]], bool]
"""Takes a connection over if it began with a usual WebSocket handshake, and says whether."""

_BEGINNING = b"GET /connection/"

HEAD_BYTES = 65_536
"""What request line and headers may hold; the parser alone would collect without end."""


class PunctualHttp(HttpToolsProtocol):
    """Closes connections that do not finish a request's head: they would cost us for ever.

    An answer that does not end takes the connection over.
    """

    def __init__(
        self,
        *arguments: Any,
        head_seconds: float,
        first_head_seconds: float | None = None,
        **more: Any,
    ) -> None:
        super().__init__(*arguments, **more)
        self._head_seconds = head_seconds
        self._first_head_seconds = first_head_seconds
        self._head_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head(self._first_head_seconds)

    def data_received(self, data: bytes) -> None:
        if self._late is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        # What completed the head may have brought more; only an unfinished one is too large.
        if self._late is not None and self._head_bytes > HEAD_BYTES:
            self._give_up("request head too large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._late is None:
            self._expect_head()

    def takeover(self, cycle: RequestResponseCycle) -> tuple[asyncio.Transport, set[Any]] | None:
        """Let go of a connection whose answer has begun; None if its client has left."""
        if self.transport.is_closing() or cycle.disconnected:
            return None
        self.connections.discard(self)
        # Another request may have begun, which nobody waits for any more.
        self._head_came()
        self.pipeline.clear()
        # uvicorn takes the client for gone, and ends the request without a word.
        cycle.disconnected = True
        # All of these lead back here: nothing shall stay until it is looked for.
        cast(dict[str, Any], cycle.scope)["extensions"] = {}
        self.parser = self.cycle = None  # type: ignore[assignment]
        return self.transport, self.connections

    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            extensions = {EXTENSION: partial(self.takeover, self.cycle)}
            cast(dict[str, Any], self.scope)["extensions"] = extensions

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def _expect_head(self, within: float | None = None) -> None:
        self._head_bytes = 0
        seconds = self._head_seconds if within is None else within
        self._late = self.loop.call_later(seconds, self._give_up, "request head not in time")

    def _head_came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self, why: str) -> None:
        self._head_came()
        log.debug(why)
        self.transport.abort()


class Greeter(asyncio.Protocol):
    """Hears the first bytes of a connection: a usual WebSocket handshake needs no HTTP server.

    Everything else does, and gets one, which hears the same bytes.
    """

    __slots__ = ("_http", "_late", "_loop", "_peers", "_seconds", "_transport", "_upgrade")

    def __init__(
        self,
        *,
        head_seconds: float,
        upgrade: Upgrade,
        server_state: ServerState,
        _loop: asyncio.AbstractEventLoop | None = None,
        **more: Any,
    ) -> None:
        self._loop = _loop or asyncio.get_running_loop()
        self._seconds = head_seconds
        self._upgrade = upgrade
        self._peers: set[Any] = server_state.connections
        self._http = partial(PunctualHttp, server_state=server_state, _loop=self._loop, **more)

    _transport: asyncio.Transport
    _late: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._peers.add(self)
        self._late = self._loop.call_later(self._seconds, self._give_up)

    def data_received(self, data: bytes) -> None:
        self._leave()
        if data.startswith(_BEGINNING) and self._upgrade(data, self._transport, self._peers):
            return
        left = max(0.0, self._late.when() - self._loop.time())
        http = self._http(head_seconds=self._seconds, first_head_seconds=left)
        http.connection_made(self._transport)
        self._transport.set_protocol(http)
        http.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def shutdown(self) -> None:
        """uvicorn stops."""
        self._transport.close()

    def _leave(self) -> None:
        self._late.cancel()
        self._peers.discard(self)

    def _give_up(self) -> None:
        log.debug("request head not in time")
        self._transport.abort()


def punctual_http(head_seconds: float, *, upgrade: Upgrade | None = None) -> type[asyncio.Protocol]:
    """The protocol as uvicorn makes it, one for each connection."""
    if upgrade is None:
        return partial(PunctualHttp, head_seconds=head_seconds)  # type: ignore[return-value]
    return partial(Greeter, head_seconds=head_seconds, upgrade=upgrade)  # type: ignore[return-value]
