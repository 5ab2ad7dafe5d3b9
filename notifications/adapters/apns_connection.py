"""One connection to APNs: aioapns' protocol class with its behaviour on the wire replaced."""

import asyncio
from collections.abc import Callable
from typing import Any

from aioapns.connection import APNsTLSClientProtocol, AuthorizationHeaderProvider
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import Frame, GoAwayFrame

from notifications.adapters.apns_answers import ENDS_CONNECTION, Answer
from notifications.adapters.apns_exchange import (
    BODY_BYTES,
    Exchange,
    outcome_of_reset,
    read_answer,
    read_head,
)
from notifications.adapters.apns_headers import HeaderEncoder
from notifications.types import Outcome, Verdict

IDLE = 30 * 60.0
"""Seconds without traffic after which a connection is closed; Apple wants them to last."""
_LAST_STREAM = H2Connection.HIGHEST_ALLOWED_STREAM_ID - 2


class _Http2(H2Connection):
    """h2 refuses every frame after a GOAWAY, and with it answers that are still to come."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Any]]:
        event = ConnectionTerminated()
        event.error_code = frame.error_code
        event.last_stream_id = frame.last_stream_id
        event.additional_data = frame.additional_data or None
        return [], [event]


class ApnsConnection(APNsTLSClientProtocol):
    """Writes requests, matches answers by stream, obeys SETTINGS, drains on GOAWAY.

    It never repeats a request. Whatever happens, each exchange it took is settled: with an
    answer, as not sent, or as ambiguous. `answered` tells whether the peer ever answered one,
    `retired` whether it was we who gave the connection up.
    """

    def __init__(
        self,
        authority: str,
        topic: str,
        token: AuthorizationHeaderProvider,
        *,
        on_lost: Callable[["ApnsConnection"], None],
        on_progress: Callable[[], None],
        on_answer: Callable[["ApnsConnection", Exchange, Answer], None],
        streams: int,
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(topic, loop, None, token)
        config = H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.conn = _Http2(config)
        self.conn.encoder = HeaderEncoder()
        self.draining = False
        self.retired = False
        self.lost = False
        self.answered = False
        self._authority = authority
        self._on_lost = on_lost
        self._on_progress = on_progress
        self._on_answer = on_answer
        self._most = streams
        # APNs allows one request until it has seen a good provider token.
        self._limit = 1
        self._open: dict[int, Exchange] = {}
        self._used_at = loop.time()
        self._heard_at = loop.time()
        self._flushing = False

    @property
    def under_way(self) -> int:
        return len(self._open)

    @property
    def limit(self) -> int:
        """How many requests may be under way."""
        return self._limit

    @property
    def is_busy(self) -> bool:
        return self.draining or self.lost or len(self._open) >= self._limit

    def has_room_for(self, body: bytes) -> bool:
        """Whether the peer's windows are open wide enough for this body."""
        window = min(
            self.conn.outbound_flow_control_window, self.conn.remote_settings.initial_window_size
        )
        return len(body) <= window

    def holds(self, exchange: Exchange) -> bool:
        """Whether this push is on one of its streams."""
        return self._open.get(exchange.stream) is exchange

    def write(self, exchange: Exchange) -> None:
        """Send it in this turn of the loop. Only when there is room and it is not busy."""
        assert self.auth_provider is not None
        request = exchange.request
        exchange.stream = stream = self.conn.get_next_available_stream_id()
        exchange.authorization = self.auth_provider.get_header()
        exchange.written_at = self._used_at = self.loop.time()
        headers = request.headers(authority=self._authority, authorization=exchange.authorization)
        self.conn.send_headers(stream, headers)
        self.conn.send_data(stream, request.body, end_stream=True)
        self._open[stream] = exchange
        if stream >= _LAST_STREAM:
            self.retire()
        self._flush_soon()

    def give_up(self, exchange: Exchange) -> None:
        """The deadline has passed: free the stream, and say honestly that nobody knows."""
        if self._open.pop(exchange.stream, None) is None:
            return
        self.conn.reset_stream(exchange.stream, ErrorCodes.CANCEL)
        exchange.settle(Outcome(Verdict.AMBIGUOUS, "no answer within the deadline"))
        if self._heard_at < exchange.written_at:
            # Not a word since: the peer may be gone without the network telling us.
            self.retire()
        self._flush_soon()
        self._after_change()

    def retire(self) -> None:
        """Send nothing new; close when the last answer has come."""
        self.draining = self.retired = True
        self._close_if_done()

    # asyncio and aioapns call what follows.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.inactivity_timer = self.loop.call_later(IDLE, self._look_idle)

    def refresh_inactivity_timer(self) -> None:
        """Nothing to do: `_look_idle` reads when the connection was last used."""

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        try:
            for event in self.conn.receive_data(data):
                self._on(event)
        except ProtocolError as broken:
            self._break(f"protocol error: {broken}")
            return
        self._flush_soon()
        self._after_change()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self.inactivity_timer is not None:
            self.inactivity_timer.cancel()
        self._settle_all(Outcome(Verdict.AMBIGUOUS, f"connection lost: {exc or 'closed'}"))
        self._on_lost(self)

    def _on(self, event: object) -> None:
        if isinstance(event, ResponseReceived):
            if exchange := self._open.get(event.stream_id):
                read_head(exchange, event.headers)
        elif isinstance(event, StreamEnded):
            if exchange := self._open.pop(event.stream_id, None):
                self._finish(exchange)
        elif isinstance(event, DataReceived):
            # Also for streams given up: the window of the connection is shared by all.
            self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            exchange = self._open.get(event.stream_id)
            if exchange is not None and len(exchange.body) < BODY_BYTES:
                exchange.body += event.data
        elif isinstance(event, StreamReset):
            if exchange := self._open.pop(event.stream_id, None):
                exchange.settle(outcome_of_reset(event.error_code))
        elif isinstance(event, RemoteSettingsChanged):
            changed = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
            if changed is not None:
                self._limit = min(changed.new_value, self._most)
        elif isinstance(event, WindowUpdated):
            pass  # `_after_change` lets the pool look at the window again.
        elif isinstance(event, ConnectionTerminated):
            self._drain(event.last_stream_id or 0, event.additional_data or b"")

    def _finish(self, exchange: Exchange) -> None:
        answer = read_answer(exchange)
        self.answered = True
        if answer.reason in ENDS_CONNECTION:
            self.draining = True
        self._on_answer(self, exchange, answer)

    def _drain(self, last_stream: int, debug: bytes) -> None:
        """GOAWAY: streams above the last were not looked at, the others will be answered."""
        self.draining = True
        said = debug.decode("utf-8", "replace")[:200]
        for stream in [stream for stream in self._open if stream > last_stream]:
            self._open.pop(stream).settle(Outcome(Verdict.NOT_SENT, f"GOAWAY {said}".rstrip()))

    def _break(self, reason: str) -> None:
        self.draining = True
        self._settle_all(Outcome(Verdict.AMBIGUOUS, reason))
        if self.transport is not None:
            self.transport.abort()

    def _settle_all(self, outcome: Outcome) -> None:
        open_exchanges, self._open = self._open, {}
        for exchange in open_exchanges.values():
            exchange.settle(outcome)

    def _after_change(self) -> None:
        self._close_if_done()
        self._on_progress()

    def _close_if_done(self) -> None:
        if self.draining and not self._open and not self.lost:
            self.close()

    def _look_idle(self) -> None:
        quiet = self.loop.time() - self._used_at
        if quiet >= IDLE and not self._open:
            self.retire()
        else:
            left = max(IDLE - quiet, 1.0)
            self.inactivity_timer = self.loop.call_later(left, self._look_idle)

    def _flush_soon(self) -> None:
        """One write for everything that happens in this turn of the loop."""
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flushing = False
        data = self.conn.data_to_send()
        if data and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)
