"""One HTTP/2 connection to a provider: the wire speaks the protocol, this does what pushes need."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from notifications.adapters.http2_exchange import BODY_BYTES, Exchange, outcome_of_reset
from notifications.http2.decoder import Header
from notifications.http2.ends import ClientWire
from notifications.http2.frames import ErrorCode, Http2Error, Setting
from notifications.types import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Line:
    """What a connection needs to know of the way it is on."""

    streams: int
    """Requests under way at once, at most; the peer may allow less."""
    idle_seconds: float
    """Time without a request after which it is closed."""


class Http2Connection(asyncio.Protocol):
    """Writes requests, matches answers by stream, obeys SETTINGS, drains on GOAWAY.

    It never repeats a request. Whatever happens, each exchange it took is settled: with an
    answer, as not sent, or as ambiguous. `answered` tells whether the peer ever answered one,
    `retired` whether it was we who gave the connection up.
    """

    def __init__(
        self,
        line: Line,
        *,
        on_lost: Callable[["Http2Connection"], None],
        on_progress: Callable[[], None],
        on_answer: Callable[[], None],
    ) -> None:
        self.draining = False
        self.retired = False
        self.lost = False
        self.answered = False
        self._loop = loop = asyncio.get_running_loop()
        self._wire = ClientWire(self)
        self._transport: asyncio.Transport | None = None
        self._line = line
        self._on_lost = on_lost
        self._on_progress = on_progress
        self._on_answer = on_answer
        # One until the peer says how many; APNs says more once it has seen a good token.
        self._limit = 1
        self._has_settings = False
        self._open: dict[int, Exchange] = {}
        self._used_at = loop.time()
        self._heard_at = loop.time()
        self.idle_timer: asyncio.TimerHandle | None = None
        self._flushing = False

    @property
    def slots(self) -> int:
        """How many requests the peer lets be under way."""
        return 0 if self.draining else self._limit

    @property
    def under_way(self) -> int:
        return len(self._open)

    @property
    def is_busy(self) -> bool:
        return self.draining or self.lost or len(self._open) >= self._limit

    def has_room_for(self, body: bytes) -> bool:
        """Whether the peer's windows are open wide enough for this body."""
        return self._wire.takes(body)

    def holds(self, exchange: Exchange) -> bool:
        """Whether this push is on one of its streams."""
        return self._open.get(exchange.stream) is exchange

    def write(self, exchange: Exchange) -> None:
        """Send it in this turn of the loop. Only when there is room and it is not busy."""
        request = exchange.request
        exchange.written_at = self._used_at = self._loop.time()
        exchange.stream = stream = self._wire.ask(request.head(), request.body)
        self._open[stream] = exchange
        if self._wire.is_spent:
            self.retire()
        self._flush_soon()

    def give_up(self, exchange: Exchange) -> None:
        """The deadline has passed: free the stream, and say honestly that nobody knows."""
        if self._open.pop(exchange.stream, None) is None:
            return
        self._wire.reset(exchange.stream, ErrorCode.CANCEL)
        exchange.lose(Outcome(Verdict.AMBIGUOUS, "no answer within the deadline"))
        if self._heard_at < exchange.written_at:
            # Not a word since: the peer may be gone without the network telling us.
            self.retire()
        self._flush_soon()
        self._after_change()

    def retire(self) -> None:
        """Send nothing new; close when the last answer has come."""
        self.draining = self.retired = True
        self._close_if_done()

    def close(self) -> None:
        """End it now; what is under way is in doubt."""
        if self._transport is not None and not self._transport.is_closing():
            self._wire.go_away(0, ErrorCode.NO_ERROR)
            self._flush_now()
            self._transport.close()

    # asyncio calls what follows.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do what asyncio's do, but do not derive from them.
        self._transport = cast(asyncio.Transport, transport)
        self._flush_now()
        self.idle_timer = self._loop.call_later(self._line.idle_seconds, self._look_idle)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        try:
            self._wire.receive(data)
        except Http2Error as broken:
            self._wire.go_away(0, broken.code)
            self._flush_now()
            self._break(f"protocol error: {broken}")
            return
        self._flush_soon()
        self._after_change()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        self._settle_all(Outcome(Verdict.AMBIGUOUS, f"connection lost: {exc or 'closed'}"))
        self._on_lost(self)

    # The wire calls what follows. Streams that are not open were given up.

    def on_headers(self, stream: int, headers: list[Header], ended: bool) -> None:
        exchange = self._open.get(stream)
        if exchange is not None:
            exchange.read_head(headers)
            if ended:
                del self._open[stream]
                self._finish(exchange)

    def on_data(self, stream: int, data: bytes, ended: bool) -> None:
        exchange = self._open.get(stream)
        if exchange is not None:
            if len(exchange.body) < BODY_BYTES:
                exchange.body += data
            if ended:
                del self._open[stream]
                self._finish(exchange)

    def on_reset(self, stream: int, code: int) -> None:
        exchange = self._open.pop(stream, None)
        if exchange is not None:
            exchange.lose(outcome_of_reset(code))

    def on_settings(self, said: Mapping[int, int]) -> None:
        changed = said.get(Setting.MAX_CONCURRENT_STREAMS)
        if changed is not None:
            self._limit = min(changed, self._line.streams)
        elif not self._has_settings:
            # No word of it means that there is no limit.
            self._limit = self._line.streams
        self._has_settings = True

    def on_window(self) -> None:
        """`_after_change` lets the pool look at the window again."""

    def on_ping(self) -> None:
        """The wire has answered it."""

    def on_goaway(self, last_stream: int, debug: bytes) -> None:
        """Streams above the last were not looked at, the others will be answered."""
        self.draining = True
        said = debug.decode("utf-8", "replace")[:200]
        for stream in [stream for stream in self._open if stream > last_stream]:
            self._open.pop(stream).settle(Outcome(Verdict.NOT_SENT, f"GOAWAY {said}".rstrip()))

    def _finish(self, exchange: Exchange) -> None:
        judged = exchange.request.judge(exchange.answer())
        self.answered = True
        if judged.ends_connection:
            self.draining = True
        exchange.settle(judged.outcome)
        self._on_answer()

    def _break(self, reason: str) -> None:
        self.draining = True
        self._settle_all(Outcome(Verdict.AMBIGUOUS, reason))
        if self._transport is not None:
            self._transport.abort()

    def _settle_all(self, outcome: Outcome) -> None:
        open_exchanges, self._open = self._open, {}
        for exchange in open_exchanges.values():
            exchange.lose(outcome)

    def _after_change(self) -> None:
        self._close_if_done()
        self._on_progress()

    def _close_if_done(self) -> None:
        if self.draining and not self._open and not self.lost:
            self.close()

    def _look_idle(self) -> None:
        quiet = self._loop.time() - self._used_at
        if quiet >= self._line.idle_seconds and not self._open:
            self.retire()
        else:
            left = max(self._line.idle_seconds - quiet, 1.0)
            self.idle_timer = self._loop.call_later(left, self._look_idle)

    def _flush_soon(self) -> None:
        """One write for everything that happens in this turn of the loop."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flushing = False
        data = self._wire.to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
