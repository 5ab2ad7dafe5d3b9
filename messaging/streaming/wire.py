"""A connection whose way down is an HTTP response that does not end."""

from abc import abstractmethod
from collections import deque
from typing import Final

from messaging.connections.connection import Connection
from messaging.connections.departures import Batch, Departures, Wire, WireOptions
from messaging.connections.wheel import TimerWheel
from messaging.protocol.codec import Codec
from messaging.protocol.codes import DisconnectCode
from messaging.streaming.forms import Form

HELD: Final = 4
"""Largest messages that may wait for a connection that takes no more commands for the moment."""

HELD_FRAMES: Final = 256
"""Messages that may wait, however small."""


class StreamWire(Wire):
    """What the client says arrives by requests of its own, here through `received`.

    There is no close frame, so that the last push says why it ends.
    """

    __slots__ = ("_closing", "_form", "_held", "_wheel", "connection", "node", "options")

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
        self.node = ""
        self.options = options
        self._form = form
        self._wheel = wheel
        self._held: deque[bytes] | None = None
        """What the client says while nothing may be read from it."""
        self._closing = 0.0
        """When to cut a connection whose client does not take what is left for it."""

    @property
    def medium(self) -> str:  # type: ignore[override]
        return self._form.medium

    def received(self, frame: bytes) -> None:
        """Take what the client said in a request of its own."""
        held = self._held
        if held is None:
            self.connection.received(frame)
            return
        held.append(frame)
        largest = HELD * self.options.message_bytes
        if len(held) > HELD_FRAMES or sum(map(len, held)) > largest:
            self.connection.disconnect(DisconnectCode.TOO_MANY_REQUESTS)

    def deliver(self, batch: Batch) -> None:
        if not self._closing:
            self._put(self._framed(batch.parts))

    def depart(self) -> None:
        if self._closing:
            self.answers = self.batches = None
        elif waiting := self._waiting():
            self._put(self._framed(waiting))

    def close(self, code: int, reason: str) -> None:
        if not self._closing:
            last = [*self._waiting(), self.farewell(code, reason)]
            self._closing = self._wheel.now() + self.options.close_seconds
            self._wheel.by(self, self._closing)
            self._end(self._framed(last))
            self._held = None
            self.connection.lost()

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

    @abstractmethod
    def _put(self, data: bytes) -> None:
        """Send a piece of the stream."""

    @abstractmethod
    def _end(self, data: bytes) -> None:
        """Send the last piece of it."""

    def _framed(self, answers: list[bytes]) -> bytes:
        return b"".join(map(self._form.framed, answers))

    def _waiting(self) -> list[bytes]:
        """Take everything that waits: answers first, then what channels were sent."""
        waiting = self.answers or []
        for batch in self.batches or ():
            waiting += batch.parts
        self.answers = self.batches = None
        return waiting
