"""One port of the sandbox: hears which HTTP version a connection speaks and serves it."""

import asyncio
import ssl
from typing import cast

from notifications.sandbox.http import Service
from notifications.sandbox.http1 import Http1Connection
from notifications.sandbox.http2 import Http2Connection

_PREFACE = b"PRI * HTTP/2.0"


class Listener:
    """A listening socket and its connections; `port` is known once it is open."""

    def __init__(
        self, service: Service, *, host: str, port: int, tls: ssl.SSLContext | None
    ) -> None:
        self.port = port
        self._service = service
        self._host = host
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        slow = self._service.traits.connect > 0
        self._server = await loop.create_server(
            lambda: _Connection(self._service, self._connections, later=self._tls),
            self._host,
            self.port,
            ssl=None if slow else self._tls,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        closed = [connection.closed for connection in self._connections]
        for connection in list(self._connections):
            connection.abort()
        await asyncio.gather(*closed)
        await self._server.wait_closed()
        self._server = None


class _Connection(asyncio.Protocol):
    """Sniffs the first bytes: ALPN may be missing, as aioapns offers none."""

    def __init__(
        self,
        service: Service,
        connections: "set[_Connection]",
        *,
        later: ssl.SSLContext | None,
    ) -> None:
        self._later = later
        self._timer: asyncio.TimerHandle | None = None
        self._securing: asyncio.Task[None] | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._service = service
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._speaks: Http1Connection | Http2Connection | None = None
        self._first = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        if self._service.traits.connect > 0:
            self._transport.pause_reading()
            seconds = self._service.traits.connect
            self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _begin(self) -> None:
        """Listen, as late as the service is slow to connect to."""
        assert self._transport is not None
        if self._later is None:
            self._transport.resume_reading()
        else:
            securing = self._secure(self._transport, self._later)
            self._securing = asyncio.get_running_loop().create_task(securing)

    async def _secure(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._transport = await loop.start_tls(transport, self, tls, server_side=True)
        except OSError:
            # The caller had no patience.
            transport.abort()
            return
        # What was read meanwhile would have been answered past TLS.
        self._securing, read = None, self._first
        self._first = b""
        self.data_received(read)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self._speaks is None:
            self._first += data
            if self._securing is not None:
                return
            if len(self._first) < len(_PREFACE) and _PREFACE.startswith(self._first):
                return
            speaks = Http2Connection if self._first.startswith(_PREFACE) else Http1Connection
            self._speaks = speaks(self._transport, self._service)
            data, self._first = self._first, b""
        self._speaks.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._speaks is not None:
            self._speaks.lost()
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def server_tls(certificate: str, key: str) -> ssl.SSLContext:
    """TLS for both HTTP versions."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context
