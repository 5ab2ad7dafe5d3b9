"""A WebSocket after its handshake: frames in by callback, one write per turn of the loop out."""

import asyncio
import os
from typing import Any

from messaging.connections.connection import Connection
from messaging.connections.departures import Batch, Departures, Wire, WireOptions
from messaging.connections.framing import (
    PING_FRAME,
    FrameReader,
    FrameViolation,
    Opcode,
    close_code_of,
    close_frame,
    frame_of,
    pong_frame,
)
from messaging.connections.wheel import TimerWheel
from messaging.protocol.codec import Codec
from messaging.protocol.codes import DisconnectCode, close_reason


class SocketWire(Wire, asyncio.Protocol):
    """A WebSocket over a transport of the event loop, after the handshake.

    All writing goes in one way: straight into `socket` while nothing waits, through the transport
    as soon as something does, so that frames never overtake each other.
    """

    __slots__ = ("_backlog", "_closing", "_fd", "_reader", "_transport", "_wheel", "connection",
                 "native_pings", "options", "peers")  # fmt: skip

    def __init__(
        self,
        codec: Codec,
        *,
        departures: Departures,
        wheel: TimerWheel,
        options: WireOptions,
        native_pings: bool = False,
    ) -> None:
        super().__init__(codec, departures)
        self.native_pings = native_pings
        self.options = options
        self._wheel = wheel
        self._reader = FrameReader(departures.frame_io.whole_message)
        self._fd = -1
        self._backlog = False
        self._closing = 0.0
        """When to cut a connection whose client does not answer our close frame."""

    connection: Connection
    peers: set[Any]
    _transport: asyncio.Transport

    def begin(self, transport: asyncio.Transport) -> None:
        """Write to `transport` from now on."""
        self._transport = transport
        self.peers.add(self)
        # With these limits the transport tells exactly when something waits in it.
        transport.set_write_buffer_limits(high=0)
        socket = transport.get_extra_info("socket")
        if socket is not None and transport.get_extra_info("sslcontext") is None:
            self.socket = self._fd = socket.fileno()

    def say(self, data: bytes) -> None:
        """Write what is no frame: the answer to the opening handshake."""
        self._write(data)

    # --- from the event loop -----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        limit = self.options.message_bytes
        try:
            message = self._reader.message_in(data, limit=limit)
            if message is not None:
                if not self._closing:
                    self.connection.received(message)
                return
            for opcode, payload in self._reader.feed(data, limit=limit):
                if opcode in (Opcode.TEXT, Opcode.BINARY):
                    if not self._closing:
                        self.connection.received(payload)
                elif opcode == Opcode.PING:
                    if not self._closing:
                        self._control(pong_frame(payload))
                elif opcode == Opcode.PONG and self.native_pings:
                    self.connection.ponged()
                elif opcode == Opcode.CLOSE:
                    self._closed_by_client(payload)
                    return
        except FrameViolation as violation:
            self.close(violation.code, violation.reason)

    def eof_received(self) -> None:
        """The client writes no more: the transport closes itself."""

    def pause_writing(self) -> None:
        self._backlog = True
        self.socket = -1

    def resume_writing(self) -> None:
        self._backlog = False
        self.socket = self._fd

    def connection_lost(self, exc: Exception | None) -> None:
        self.socket = self._fd = -1
        self._closing = self._closing or 1.0
        self.peers.discard(self)
        self._wheel.forget(self)
        self.answers = self.batches = None
        self.connection.lost()

    def shutdown(self) -> None:
        """uvicorn stops and we were not drained before."""
        self.connection.disconnect(DisconnectCode.SHUTDOWN)
        self._transport.close()

    # --- from the connection -----------------------------------------------------------------

    def deliver(self, batch: Batch) -> None:
        if not self._closing:
            self._write(batch.framed)

    def depart(self) -> None:
        if self._closing:
            self.answers = self.batches = None
            return
        if data := self.framed():
            self._write(data)

    def fell_short(self, data: bytes, written: int) -> None:
        if written < 0:
            # The client is gone; the transport would only find out when it reads.
            self.abort()
        else:
            self._queue(memoryview(data)[written:])

    def close(self, code: int, reason: str) -> None:
        if self._closing:
            if not self._transport.is_closing():
                self.abort()
            return
        data = self.framed()
        if self.codec.one_way:
            data += frame_of(self.farewell(code, reason), binary=self.codec.binary)
        data += close_frame(code, close_reason(reason))
        self._closing = self._wheel.now() + self.options.close_seconds
        self._write(data)
        self.socket = self._fd = -1
        self._wheel.by(self, self._closing)
        self._transport.resume_reading()
        self.connection.lost()

    def abort(self) -> None:
        self.socket = self._fd = -1
        self._closing = self._closing or 1.0
        self._transport.abort()

    def ping(self, encoded: bytes) -> None:
        if not self.native_pings:
            self.send(encoded)
        elif not self._closing:
            self._control(PING_FRAME)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def tick(self, now: float) -> float | None:
        if not self._closing:
            return self.connection.tick(now)
        if now < self._closing:
            return self._closing
        self.abort()
        return None

    def give_up(self) -> None:
        self.connection.slow()

    # --- writing -------------------------------------------------------------------------------

    def _control(self, frame: bytes) -> None:
        self._write(self.framed() + frame)

    def _write(self, data: bytes) -> None:
        if self.socket < 0:
            self._queue(data)
            return
        try:
            written = os.write(self.socket, data)
        except BlockingIOError:
            written = 0
        except OSError:
            written = -1
        if written != len(data):
            self.fell_short(data, written)

    def _queue(self, data: bytes | memoryview) -> None:
        self._transport.write(data)
        if (
            self._backlog
            and not self._closing
            and self._transport.get_write_buffer_size() > self.options.backlog_bytes
        ):
            self.departures.give_up(self)

    def _closed_by_client(self, payload: bytes) -> None:
        """The client closes, or agrees that we do."""
        if not self._closing:
            code = close_code_of(payload)
            self._closing = self._wheel.now() + self.options.close_seconds
            self._write(self.framed() + close_frame(code))
            self._wheel.by(self, self._closing)
            self.connection.lost()
        self.socket = self._fd = -1
        self._transport.close()
