"""A connection over nothing but ASGI: slower, and at home on any server."""

import asyncio
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect

from messaging.connections.connection import Connection
from messaging.connections.departures import Batch, Departures, Wire, WireOptions
from messaging.connections.framing import CloseCode
from messaging.connections.wheel import TimerWheel
from messaging.protocol.codec import Codec
from messaging.protocol.codes import close_reason


class AsgiWire(Wire):
    """Queues what is to be sent, for one task per connection to send it.

    Framing, its faults and the closing handshake are the server's affair.
    """

    __slots__ = ("_closing", "_may_read", "_queue", "_queued", "_tasks", "_to_send", "_wheel",
                 "connection", "options")  # fmt: skip

    connection: Connection

    def __init__(
        self, codec: Codec, *, departures: Departures, wheel: TimerWheel, options: WireOptions
    ) -> None:
        super().__init__(codec, departures)
        self.options = options
        self._wheel = wheel
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._to_send = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._closing: tuple[int, str, float] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, websocket: WebSocket, connection: Connection, first: bytes) -> None:
        """Run an accepted WebSocket until either side ends it; `first` came with its request."""
        self.connection = connection
        if first:
            connection.received(first)
        self._tasks = {
            asyncio.create_task(self._read(websocket)),
            asyncio.create_task(self._write(websocket)),
        }
        try:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
            self._wheel.forget(self)
            connection.lost()
        for task in done:
            if not task.cancelled() and not isinstance(task.exception(), WebSocketDisconnect):
                task.result()

    def deliver(self, batch: Batch) -> None:
        if self._closing is None:
            self._enqueue(batch.parts)

    def depart(self) -> None:
        if self._closing is None:
            self._enqueue(self._waiting())

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._queue.extend(self._waiting())
            if self.codec.one_way:
                self._queue.append(self.farewell(code, reason))
            until = self._wheel.now() + self.options.close_seconds
            self._closing = (code, close_reason(reason), until)
            self._wheel.by(self, until)
            self._to_send.set()
            self.connection.lost()

    def abort(self) -> None:
        for task in self._tasks:
            task.cancel()

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def tick(self, now: float) -> float | None:
        if self._closing is None:
            return self.connection.tick(now)
        until = self._closing[2]
        if now < until:
            return until
        self.abort()
        return None

    def give_up(self) -> None:
        self.connection.slow()

    def _waiting(self) -> list[bytes]:
        frames = self.frames()
        for batch in self.batches or ():
            frames += batch.parts
        self.batches = None
        return frames

    def _enqueue(self, frames: list[bytes]) -> None:
        self._queue.extend(frames)
        self._queued += sum(map(len, frames))
        self._to_send.set()
        if self._queued > self.options.backlog_bytes:
            self.departures.give_up(self)

    async def _read(self, websocket: WebSocket) -> None:
        while True:
            await self._may_read.wait()
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if data is None:
                # A text that is no UTF-8 has no business in here: the server refused it.
                data = message["text"].encode()
            if len(data) > self.options.message_bytes:
                self.connection.disconnect(CloseCode.TOO_BIG, "message too big")
            else:
                self.connection.received(data)

    async def _write(self, websocket: WebSocket) -> None:
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            while self._queue:
                frame = self._queue.popleft()
                self._queued -= len(frame)
                if self.codec.binary:
                    await websocket.send_bytes(frame)
                else:
                    await websocket.send_text(frame.decode())
            if self._closing is not None:
                code, reason, _ = self._closing
                await websocket.close(code, reason)
                return
