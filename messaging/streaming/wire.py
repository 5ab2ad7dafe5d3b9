"""A connection whose way down is the body of an HTTP response that does not end."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, Final

from messaging.connection import Connection
from messaging.departures import Batch, Departures, Wire, WireOptions
from messaging.protocol.codec import Codec
from messaging.protocol.codes import DisconnectCode
from messaging.streaming.forms import Form
from messaging.wheel import TimerWheel

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HELD: Final = 4
"""Largest messages that may wait for a connection that takes no more commands for the moment."""


class StreamWire(Wire):
    """Queues what is to be sent, for the request's own task to send it.

    What the client says arrives by other requests, here through `received`. There is no close
    frame, so that the last push says why it ends.
    """

    __slots__ = ("_abort", "_closing", "_form", "_gone", "_held", "_limit", "_queue", "_queued",
                 "_to_send", "_wheel", "connection", "node", "options")  # fmt: skip

    connection: Connection

    def __init__(
        self,
        codec: Codec,
        form: Form,
        *,
        departures: Departures,
        wheel: TimerWheel,
        options: WireOptions,
    ) -> None:
        super().__init__(codec, departures)
        self.options = options
        self.node = ""
        self._form = form
        self._wheel = wheel
        self._queue: list[bytes] = []
        self._queued = 0
        """Bytes that wait here, or were handed on and are not taken yet."""
        self._to_send = asyncio.Event()
        self._held: deque[bytes] | None = None
        """What the client says while nothing may be read from it."""
        self._closing = 0.0
        """When to cut a connection whose client does not take what is left for it."""
        self._gone = False
        self._limit = asyncio.timeout(None)
        self._abort: Callable[[], None] | None = None

    @property
    def medium(self) -> str:  # type: ignore[override]
        return self._form.medium

    async def serve(
        self,
        connection: Connection,
        first: bytes,
        *,
        headers: Sequence[tuple[bytes, bytes]],
        receive: Receive,
        send: Send,
        abort: Callable[[], None] | None,
    ) -> None:
        """Answer a request with a stream until either side ends it; `first` is its frame.

        `abort` cuts the transport, where the server lets us.
        """
        self.connection = connection
        self._abort = abort
        watching = asyncio.create_task(self._watch(receive))
        try:
            # Servers may say by an error that the client is gone; our own cut is a timeout.
            with suppress(OSError):
                async with self._limit:
                    start = {"type": "http.response.start", "status": 200, "headers": headers}
                    await send(start)
                    self._put([self._form.opening])
                    connection.received(first)
                    await self._write(send)
        finally:
            watching.cancel()
            self._wheel.forget(self)
            connection.lost()
            await asyncio.wait({watching})

    def received(self, frame: bytes) -> None:
        """Take what the client said in a request of its own."""
        if self._held is None:
            self.connection.received(frame)
            return
        self._held.append(frame)
        if sum(map(len, self._held)) > HELD * self.options.message_bytes:
            self.connection.disconnect(DisconnectCode.TOO_MANY_REQUESTS)

    def shutdown(self) -> None:
        """The server stops and we were not drained before."""
        self.connection.disconnect(DisconnectCode.SHUTDOWN)

    # --- from the connection -----------------------------------------------------------------

    def deliver(self, batch: Batch) -> None:
        if not self._closing:
            self._enqueue(batch.parts)

    def depart(self) -> None:
        if not self._closing:
            self._enqueue(self._waiting())

    def close(self, code: int, reason: str) -> None:
        if not self._closing:
            last = [*self._waiting(), self.farewell(code, reason)]
            self._put([self._form.framed(answer) for answer in last])
            self._closing = self._wheel.now() + self.options.close_seconds
            self._wheel.by(self, self._closing)
            self.connection.lost()

    def abort(self) -> None:
        self._gone = True
        self._to_send.set()
        if self._abort is not None:
            self._abort()
        else:
            self._limit.reschedule(0)

    def pause_reading(self) -> None:
        self._held = deque()

    def resume_reading(self) -> None:
        held, self._held = self._held, None
        while held:
            self.connection.received(held.popleft())
            if self._held is not None:
                # It takes no more already.
                self._held = held
                return

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

    def _waiting(self) -> list[bytes]:
        """Take everything that waits: answers first, then what channels were sent."""
        answers = self.answers or []
        for batch in self.batches or ():
            answers += batch.parts
        self.answers = self.batches = None
        return answers

    def _enqueue(self, answers: list[bytes]) -> None:
        self._put([self._form.framed(answer) for answer in answers])
        if self._queued > self.options.backlog_bytes:
            self.departures.give_up(self)

    def _put(self, framed: list[bytes]) -> None:
        self._queue += framed
        self._queued += sum(map(len, framed))
        self._to_send.set()

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
