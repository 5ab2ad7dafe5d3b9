"""HTTP as uvicorn reads it, but a request's head has a size and must arrive in time."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from itertools import takewhile
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


class Lobby:
    """Those who have said nothing yet, in the order they came: one timer for all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._until: dict[Greeter, float] = {}
        self._watching = False

    def enter(self, greeter: "Greeter") -> None:
        """Somebody came; they must speak in time."""
        self._until[greeter] = until = self._loop.time() + self._seconds
        if not self._watching:
            self._watching = True
            self._loop.call_at(until, self._look)

    def leave(self, greeter: "Greeter") -> float:
        """They spoke, or left; the seconds that they had left."""
        return max(0.0, self._until.pop(greeter, 0.0) - self._loop.time())

    def _look(self) -> None:
        now = self._loop.time()
        late = list(takewhile(lambda greeter: self._until[greeter] <= now, self._until))
        for greeter in late:
            self.leave(greeter)
            greeter.give_up()
        self._watching = bool(self._until)
        if self._watching:
            self._loop.call_at(next(iter(self._until.values())), self._look)


class Greeter(asyncio.Protocol):
    """Hears the first bytes of a connection: a usual WebSocket handshake needs no HTTP server.

    Everything else does, and gets one, which hears the same bytes.
    """

    __slots__ = ("_lobby", "_make_http", "_peers", "_transport", "_upgrade")

    def __init__(
        self,
        *,
        lobby: Lobby,
        upgrade: Upgrade,
        peers: set[Any],
        make_http: Callable[..., PunctualHttp],
    ) -> None:
        """`make_http` makes what hears everything unusual, given how long its head may take."""
        self._lobby = lobby
        self._upgrade = upgrade
        self._peers = peers
        self._make_http = make_http

    _transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._peers.add(self)
        self._lobby.enter(self)

    def data_received(self, data: bytes) -> None:
        left = self._leave()
        if data.startswith(_BEGINNING) and self._upgrade(data, self._transport, self._peers):
            return
        http = self._make_http(first_head_seconds=left)
        http.connection_made(self._transport)
        self._transport.set_protocol(http)
        http.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def shutdown(self) -> None:
        """uvicorn stops."""
        self._transport.close()

    def give_up(self) -> None:
        """The client has said nothing in time."""
        log.debug("request head not in time")
        self._transport.abort()

    def _leave(self) -> float:
        self._peers.discard(self)
        return self._lobby.leave(self)


class Greeters:
    """Makes a greeter for each connection of one server; uvicorn calls this like a class."""

    def __init__(self, *, head_seconds: float, upgrade: Upgrade) -> None:
        self._head_seconds = head_seconds
        self._upgrade = upgrade
        self._lobby: Lobby | None = None
        self._make_http: Callable[..., PunctualHttp] | None = None

    def __call__(
        self,
        *,
        server_state: ServerState,
        _loop: asyncio.AbstractEventLoop | None = None,
        **more: Any,
    ) -> Greeter:
        if self._lobby is None or self._make_http is None:
            loop = _loop or asyncio.get_running_loop()
            self._lobby = Lobby(loop, seconds=self._head_seconds)
            self._make_http = partial(
                PunctualHttp,
                head_seconds=self._head_seconds,
                server_state=server_state,
                _loop=loop,
                **more,
            )
        return Greeter(
            lobby=self._lobby,
            upgrade=self._upgrade,
            peers=server_state.connections,
            make_http=self._make_http,
        )


def punctual_http(head_seconds: float, *, upgrade: Upgrade | None = None) -> type[asyncio.Protocol]:
    """The protocol as uvicorn makes it, one for each connection of one server."""
    if upgrade is None:
        return partial(PunctualHttp, head_seconds=head_seconds)  # type: ignore[return-value]
    return Greeters(head_seconds=head_seconds, upgrade=upgrade)  # type: ignore[return-value]
