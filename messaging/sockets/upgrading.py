"""The usual opening handshake in one step: from the bytes of a request to a connection.

The way through HTTP server, ASGI and routing takes several times as long, which is felt when all
clients come back at once. Only what is usual in every detail is taken here, and only to be
accepted; all else, refusals too, goes that way.
"""

import asyncio
import binascii
import re
from functools import lru_cache
from hashlib import sha1
from typing import Any, Final
from urllib.parse import parse_qsl

from messaging.protocol.negotiation import Agreement, agree
from messaging.sockets.gateway import Gateway
from messaging.sockets.origins import Origins
from messaging.sockets.transport import SocketWire

PATH: Final = "/connection/websocket"
"""Where connections begin."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST: Final = re.compile(
    rb"GET %b(?:\?([!-~]*))? HTTP/1\.1\r\n((?:%b:[\t -~]*\r\n)+)\r\n" % (PATH.encode(), _TOKEN)
)
_KEY: Final = re.compile(rb"\r\n[Ss]ec-[Ww]eb[Ss]ocket-[Kk]ey: ([A-Za-z0-9+/]{22}==)\r\n")
_NO_KEY: Final = b"A" * 22 + b"=="
_END: Final = b"\r\n\r\n"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_WITH_A_BODY: Final = frozenset([b"content-length", b"transfer-encoding", b"expect"])

HEADS: Final = 512
HEAD_BYTES: Final = 2048
"""Heads that are remembered, of so many bytes at most: cookies make each browser's its own."""

Headers = dict[bytes, bytes]


class Upgrading:
    """Accepts the handshakes that official clients and browsers send.

    Those of one application differ in nothing but their keys, so what was made of the rest is
    remembered.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._origins = Origins(gateway.options.origins)
        self._understood = lru_cache(HEADS)(self._understand)

    def take(self, data: bytes, transport: asyncio.Transport, peers: set[Any]) -> bool:
        """Take a connection over if it began with a usual handshake; False leaves it as it is.

        `peers` are the protocols of the server that are told when it stops.
        """
        gateway = self._gateway
        end = data.find(_END) + len(_END)
        key = _KEY.search(data, 0, end)
        if key is None or not gateway.accepting:
            return False
        understand = self._understood if end <= HEAD_BYTES else self._understand
        agreement = understand(data[: key.start(1)], data[key.end(1) : end])
        if agreement is None:
            return False
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
        wire.say(_answer(key[1], agreement.subprotocol))
        if end < len(data):
            wire.data_received(data[end:])
        return True

    def _understand(self, before: bytes, after: bytes) -> Agreement | None:
        """What a head asks for around its key, if it is usual and welcome."""
        request = _REQUEST.fullmatch(before + _NO_KEY + after)
        headers = None if request is None else _headers(request[2])
        if request is None or headers is None or not _is_usual(headers):
            return None
        origin = headers.get(b"origin")
        if not self._origins.welcome(
            None if origin is None else origin.decode(), host=headers[b"host"].decode()
        ):
            return None
        query = dict(parse_qsl(request[1].decode(), keep_blank_values=True)) if request[1] else {}
        offered = headers.get(b"sec-websocket-protocol", b"").decode().split(",")
        return agree([each.strip() for each in offered], query)


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
        and headers.get(b"sec-websocket-key") == _NO_KEY
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
