"""An APNs that does what a script says, also what the real one only does on its worst days."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from aioapns import APNs
from aioapns.connection import APNsProductionClientProtocol
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from notifications.sandbox.credentials import Files

Script = Callable[["ScriptedConnection", int], None]
"""What to do with a complete request, given its stream."""


class ScriptedConnection(asyncio.Protocol):
    """One connection; the script calls its methods."""

    def __init__(self, server: "ScriptedApns") -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.headers: dict[int, dict[str, str]] = {}
        self._server = server
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections.append(self)
        self.h2.initiate_connection()
        if self._server.settings:
            self.h2.update_settings(self._server.settings)
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self.h2.receive_data(data):
                if isinstance(event, RequestReceived):
                    self.headers[event.stream_id] = dict(event.headers)  # type: ignore[arg-type]
                elif isinstance(event, DataReceived) and self._server.acknowledges:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, StreamEnded):
                    self._server.requests.append(self.headers[event.stream_id])
                    self._server.changed.set()
                    under_way = self._server.under_way
                    under_way.add((id(self), event.stream_id))
                    self._server.peak = max(self._server.peak, len(under_way))
                    self._server.script(self, event.stream_id)
        except ProtocolError:
            self.close()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.lost += 1

    def answer(
        self,
        stream: int,
        status: int = 200,
        *bodies: bytes,
        apns_id: str | None = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer with a body in as many frames; `apns_id=None` leaves the header out."""
        self._server.under_way.discard((id(self), stream))
        named = [(":status", str(status)), *headers]
        if apns_id is not None:
            named.append(("apns-id", apns_id or self.headers[stream]["apns-id"]))
        self.h2.send_headers(stream, named, end_stream=not bodies)
        for number, body in enumerate(bodies, 1):
            self.h2.send_data(stream, body, end_stream=number == len(bodies))
            self.flush()
        self.flush()

    def reset(self, stream: int, code: ErrorCodes) -> None:
        self.h2.reset_stream(stream, code)
        self.flush()

    def allow(self, streams: int) -> None:
        self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: streams})
        self.flush()

    def go_away(self, last_stream: int) -> None:
        """GOAWAY by hand: h2 would not let us answer open streams afterwards."""
        self.flush()
        payload = last_stream.to_bytes(4, "big") + bytes(4) + b'{"reason":"Shutdown"}'
        assert self.transport is not None
        self.transport.write(len(payload).to_bytes(3, "big") + b"\x07\x00" + bytes(4) + payload)

    def close(self) -> None:
        assert self.transport is not None
        self.transport.abort()

    def flush(self) -> None:
        assert self.transport is not None
        if self._server.mute:
            return
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)


class ScriptedApns:
    """A server that counts: `requests` seen, `peak` of requests under way at once."""

    def __init__(self, script: Script, settings: dict[SettingCodes | int, int]) -> None:
        self.script = script
        self.settings = settings
        self.acknowledges = True
        self.mute = False
        self.connections: list[ScriptedConnection] = []
        self.requests: list[dict[str, str]] = []
        self.under_way: set[tuple[int, int]] = set()
        self.peak = 0
        self.lost = 0
        self.address = ""
        self.changed = asyncio.Event()

    async def seen(self, requests: int, *, within: float = 5.0) -> None:
        """Wait until that many requests have come."""
        async with asyncio.timeout(within):
            while len(self.requests) < requests:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def scripted_apns(
    files: Files, script: Script, settings: dict[SettingCodes | int, int] | None = None
) -> AsyncIterator[ScriptedApns]:
    server = ScriptedApns(script, settings or {SettingCodes.MAX_CONCURRENT_STREAMS: 1000})
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.certificate, files.certificate_key)
    tls.set_alpn_protocols(["h2"])
    listening = await asyncio.get_running_loop().create_server(
        lambda: ScriptedConnection(server), "127.0.0.1", 0, ssl=tls
    )
    server.address = f"localhost:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for connection in server.connections:
            connection.close()
        await asyncio.sleep(0)
        await listening.wait_closed()


@asynccontextmanager
async def stock_aioapns(files: Files, address: str) -> AsyncIterator[APNs]:
    """aioapns as it is: only the address and the certificate are ours."""
    host, _, port = address.rpartition(":")
    client = APNs(
        key=files.apns_key.read_text(),
        key_id=files.key_id,
        team_id=files.team_id,
        topic=files.topic,
        max_connections=1,
        ssl_context=ssl.create_default_context(cafile=str(files.authority)),
    )
    where = {"APNS_SERVER": host, "APNS_PORT": int(port)}
    client.pool.protocol_class = type("Stock", (APNsProductionClientProtocol,), where)
    try:
        yield client
    finally:
        client.pool.close()
        await asyncio.sleep(0.01)
