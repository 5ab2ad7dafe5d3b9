"""One connection as a fuzzer holds it, in memory or over a socket, and what is said on it."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

from messaging.connections.connection import Connection
from messaging.connections.framing import FrameReader, FrameViolation, Opcode, close_code_of
from messaging.protocol.codec import ClientCodec
from messaging.sockets.transport import SocketWire
from tests.fuzz.judge import Judge
from tests.support.rawsocket import RawSocket
from tests.support.realtime import Node

HEADER_BYTES = 14


class Talk(ABC):
    """A client without manners, and a judge of what it is told."""

    connection: Connection
    wire: SocketWire

    def __init__(self, codec: ClientCodec, *, limit: int) -> None:
        self.codec = codec
        self.judge = Judge(codec)
        self._limit = limit
        self._shadow = FrameReader()

    def feed(self, data: bytes) -> None:
        """Let the client send bytes."""
        with suppress(FrameViolation):
            for opcode, payload in self._shadow.feed(data, limit=self._limit):
                if opcode == Opcode.CLOSE:
                    self.judge.agreed.add(close_code_of(payload))
        self._send(data)

    def heard(self) -> None:
        """Judge what the server has said, and what it keeps."""
        self.judge.hear(self._received())
        reader = self.wire._reader
        assert len(reader._rest) + len(reader._message or b"") <= self._limit + HEADER_BYTES

    @property
    def is_busy(self) -> bool:
        """Whether something that was asked is still to be answered."""
        connection = self.connection
        return connection.is_open and bool(connection._running or connection._waiting)

    async def settle(self) -> None:
        """Wait until everything that was asked has been answered, and judge it."""
        async with asyncio.timeout(10):
            await self._pause()
            while self.is_busy:
                await self._pause()
        self.heard()

    @abstractmethod
    async def _pause(self) -> None:
        """Give the server a moment in which everything that is due happens."""

    @abstractmethod
    def _send(self, data: bytes) -> None: ...

    @abstractmethod
    def _received(self) -> bytes: ...

    @abstractmethod
    def stop_reading(self) -> None:
        """Leave unread what the server sends."""

    @abstractmethod
    def read_on(self) -> None:
        """Read all there is."""

    @abstractmethod
    def cut(self) -> None:
        """The network ends here."""


class Pipe(asyncio.Transport):
    """The server's end of a connection in memory."""

    wire: SocketWire

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.inbox = bytearray()
        self.unread = 0
        self.reads = True
        """Whether the client reads what it is sent."""
        self.paused = False
        """Whether the server reads what the client sends."""
        self.ended = False

    def pump(self) -> None:
        """Give the server what the client sent, if it reads."""
        if self.inbox and not (self.ended or self.paused):
            data, self.inbox = bytes(self.inbox), bytearray()
            self.wire.data_received(data)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.ended:
            # The network may be gone before anybody is told; any transport swallows this.
            return
        self.written += data
        if not self.reads:
            self.unread += len(data)
            self.wire.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0, "it wants to be told as soon as anything waits"

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        asyncio.get_running_loop().call_soon(self.pump)

    def is_closing(self) -> bool:
        return self.ended

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.ended:
            self.ended = True
            asyncio.get_running_loop().call_soon(self.wire.connection_lost, None)


class PipeTalk(Talk):
    """A connection in memory: as soon as it is sent, it is there."""

    def __init__(self, node: Node, codec: ClientCodec) -> None:
        super().__init__(codec, limit=node.wire_options.message_bytes)
        self.pipe = Pipe()
        self.wire = self.pipe.wire = SocketWire(
            codec, departures=node.departures, wheel=node.wheel, options=node.wire_options
        )
        self.wire.connection = self.connection = node.gateway.connect(self.wire)
        self.wire.peers = set()
        self.wire.begin(self.pipe)

    async def _pause(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    def _send(self, data: bytes) -> None:
        self.pipe.inbox += data
        self.pipe.pump()

    def _received(self) -> bytes:
        data, self.pipe.written = bytes(self.pipe.written), bytearray()
        return data

    def stop_reading(self) -> None:
        self.pipe.reads = False

    def read_on(self) -> None:
        self.pipe.reads, self.pipe.unread = True, 0
        if not self.pipe.ended:
            self.wire.resume_writing()

    def cut(self) -> None:
        self.pipe.abort()


class SocketTalk(Talk):
    """A connection over a socket, after its handshake."""

    def __init__(self, node: Node, codec: ClientCodec, client: RawSocket) -> None:
        super().__init__(codec, limit=node.wire_options.message_bytes)
        [self.connection] = node.hub.connections
        assert isinstance(self.connection.wire, SocketWire)
        self.wire = self.connection.wire
        self._client = client
        self._kept = bytearray()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with suppress(ConnectionError):
            while data := await self._client.reader.read(65_536):
                self._kept += data

    async def _pause(self) -> None:
        await asyncio.sleep(0.002)

    def _send(self, data: bytes) -> None:
        if not self._client.writer.is_closing():
            self._client.send(data)

    def _received(self) -> bytes:
        data, self._kept = bytes(self._kept), bytearray()
        return data

    def stop_reading(self) -> None:
        if not self._client.writer.is_closing():
            self._client.writer.transport.pause_reading()

    def read_on(self) -> None:
        if not self._client.writer.is_closing():
            self._client.writer.transport.resume_reading()

    def cut(self) -> None:
        self._client.writer.transport.abort()
        self._reading.cancel()
