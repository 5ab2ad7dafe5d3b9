"""A stream over nothing but ASGI: slower and larger, and at home on any server."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from messaging.connections.connection import Connection
from messaging.connections.departures import Departures, WireOptions
from messaging.connections.wheel import TimerWheel
from messaging.protocol.codec import Codec
from messaging.streaming.forms import Form
from messaging.streaming.wire import StreamWire

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiStream(StreamWire):
    """Queues what is to be sent, for the request's own task to send it."""

    __slots__ = ("_gone", "_limit", "_queue", "_queued", "_to_send")

    def __init__(
        self,
        codec: Codec,
        form: Form,
        *,
        departures: Departures,
        wheel: TimerWheel,
        options: WireOptions,
    ) -> None:
        super().__init__(codec, form, departures=departures, wheel=wheel, options=options)
        self._queue: list[bytes] = []
        self._queued = 0
        """Bytes that wait here, or were handed on and are not taken yet."""
        self._to_send = asyncio.Event()
        self._gone = False
        self._limit = asyncio.timeout(None)

    async def serve(
        self, connection: Connection, first: bytes, *, start: Message, receive: Receive, send: Send
    ) -> None:
        """Answer a request with a stream until either side ends it; `first` is its frame."""
        self.connection = connection
        watching = asyncio.create_task(self._watch(receive))
        try:
            # Servers may say by an error that the client is gone; our own cut is a timeout.
            with suppress(OSError):
                async with self._limit:
                    await send(start)
                    self._put(self._form.opening)
                    connection.received(first)
                    await self._write(send)
        finally:
            watching.cancel()
            self._wheel.forget(self)
            connection.lost()
            await asyncio.wait({watching})

    def abort(self) -> None:
        self._gone = True
        self._limit.reschedule(0)

    def _put(self, data: bytes) -> None:
        self._queue.append(data)
        self._queued += len(data)
        self._to_send.set()
        if self._queued > self.options.backlog_bytes and not self._closing:
            self.departures.give_up(self)

    def _end(self, data: bytes) -> None:
        self._put(data)

    async def _write(self, send: Send) -> None:
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            while self._queue and not self._gone:
                data = b"".join(self._queue)
                self._queue.clear()
                await send({"type": "http.response.body", "body": data, "more_body": True})
                self._queued -= len(data)
            if self._gone:
                return
            if self._closing:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return

    async def _watch(self, receive: Receive) -> None:
        """Notice that the client left."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._to_send.set()
