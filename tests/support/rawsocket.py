"""A WebSocket client without manners: it sends exactly the bytes that a test wants."""

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

PATIENCE = 10.0


class Received(NamedTuple):
    """One frame of the server."""

    opcode: int
    payload: bytes


class RawSocket:
    """One TCP connection that has begun a WebSocket handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}

    def request(self, *, path: str = "/connection/websocket", **headers: str | None) -> bytes:
        """A handshake; a header whose value is None is left out."""
        fields: Mapping[str, str | None] = {
            "Host": "127.0.0.1",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
        return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()

    async def response(self) -> int:
        """The status of the handshake."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").rstrip().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in rest)
        }
        return self.status

    def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))

    async def frame(self) -> Received:
        """The next frame of the server, which is never masked nor fragmented."""
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            assert not second & 0x80, "a server does not mask"
            assert first & 0xF0 == 0x80, "a whole frame without extensions"
            size = second
            if second == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            elif second == 127:
                size = int.from_bytes(await self.reader.readexactly(8), "big")
            return Received(first & 0x0F, await self.reader.readexactly(size))

    async def close_code(self) -> int:
        """The code of the close frame that comes, after whatever comes before it."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                return int.from_bytes(payload[:2], "big")

    async def ended(self) -> bool:
        """Wait until the server closes the TCP connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return True


def masked(
    payload: bytes,
    *,
    opcode: int = 1,
    fin: bool = True,
    rsv: int = 0,
    mask: bool = True,
    length: int | None = None,
) -> bytes:
    """A frame of a client; `length` may lie about the payload's size."""
    size = len(payload) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if mask else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65_536:
        head = bytes((first, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


@asynccontextmanager
async def raw_socket(
    port: int, *, tls: ssl.SSLContext | None = None, limit: int = 65_536
) -> AsyncIterator[RawSocket]:
    """A TCP connection to a node, nothing said yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, limit=limit)
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def raw_websocket(port: int, **headers: str | None) -> AsyncIterator[RawSocket]:
    """An open WebSocket; nothing said on it yet."""
    async with raw_socket(port) as client:
        client.send(client.request(**headers))
        assert await client.response() == 101
        yield client
