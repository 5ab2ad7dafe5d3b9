"""The usual opening handshake in one step: from the bytes of a request to a connection.

The way through HTTP server, ASGI and routing takes several times as long, which is felt when all
clients come back at once. Only what is usual in every detail is taken here, and only to be
accepted; all else, refusals too, goes that way.
"""

import asyncio
import binascii
import re
from hashlib import sha1
from typing import Any, Final
from urllib.parse import parse_qsl

from messaging.protocol.negotiation import agree
from messaging.sockets.gateway import Gateway
from messaging.sockets.origins import Origins
from messaging.sockets.transport import SocketWire

PATH: Final = "/connection/websocket"
"""Where connections begin."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST: Final = re.compile(
    rb"GET %b(?:\?([!-~]*))? HTTP/1\.1\r\n((?:%b:[\t -~]*\r\n)+)\r\n" % (PATH.encode(), _TOKEN)
)
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_WITH_A_BODY: Final = frozenset([b"content-length", b"transfer-encoding", b"expect"])

Headers = dict[bytes, bytes]


class Upgrading:
    """Accepts the handshakes that official clients and browsers send."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._origins = Origins(gateway.options.origins)

    def take(self, data: bytes, transport: asyncio.Transport, peers: set[Any]) -> bool:
        """Take a connection over if it began with a usual handshake; False leaves it as it is.

        `peers` are the protocols of the server that are told when it stops.
        """
        request = _REQUEST.match(data)
        if request is None:
            return False
        headers = _headers(request[2])
        if headers is None or not _is_usual(headers):
            return False
        gateway = self._gateway
        origin = headers.get(b"origin")
        if not gateway.accepting or not self._origins.welcome(
            None if origin is None else origin.decode(), host=headers[b"host"].decode()
        ):
            return False
        query = dict(parse_qsl(request[1].decode(), keep_blank_values=True)) if request[1] else {}
        offered = headers.get(b"sec-websocket-protocol", b"").decode().split(",")
        agreement = agree([each.strip() for each in offered], query)
        wire = SocketWire(
            agreement.codec,
            departures=gateway.departures,
            wheel=gateway.wheel,
            options=gateway.wire_options,
            native_pings=agreement.native_pings,
        )
        wire.connection = gateway.connect(wire)
        wire.peers = peers
        transport.set_protocol(wire)
        wire.begin(transport)
        transport.write(_answer(headers[b"sec-websocket-key"], agreement.subprotocol))
        if request.end() < len(data):
            wire.data_received(data[request.end() :])
        return True


def _headers(lines: bytes) -> Headers | None:
    """Headers by their names in lower case; None when one is repeated."""
    headers: Headers = {}
    count = 0
    for line in lines.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.lower()] = value.strip(b" \t")
            count += 1
    return headers if len(headers) == count else None


def _is_usual(headers: Headers) -> bool:
    """Whether a handshake is complete, and asks for nothing beside."""
    return (
        headers.get(b"upgrade", b"").lower() == b"websocket"
        and headers.get(b"connection", b"").lower() in (b"upgrade", b"keep-alive, upgrade")
        and headers.get(b"sec-websocket-version") == b"13"
        and _KEY.fullmatch(headers.get(b"sec-websocket-key", b"")) is not None
        and headers.get(b"host", b"") != b""
        and _WITH_A_BODY.isdisjoint(headers)
    )


def _answer(key: bytes, subprotocol: str | None) -> bytes:
    accept = binascii.b2a_base64(sha1(key + _GUID, usedforsecurity=False).digest())
    agreed = (
        b"" if subprotocol is None else b"Sec-WebSocket-Protocol: %b\r\n" % subprotocol.encode()
    )
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (accept.rstrip(), agreed)
    )
