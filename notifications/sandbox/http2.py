"""HTTP/2 for the sandbox's services: h2 speaks, answers leave as the window lets them."""

import asyncio
from collections import deque
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PingReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from notifications.sandbox.http import Incoming, Manner, Response, Service


class Http2Connection:
    """One connection with its streams. What the peer breaks ends the connection, nothing else."""

    def __init__(self, transport: asyncio.Transport, service: Service) -> None:
        self.session: Any = service.session()
        self._transport = transport
        self._service = service
        self._loop = asyncio.get_running_loop()
        config = H2Configuration(client_side=False, header_encoding="utf-8")
        self._h2 = H2Connection(config)
        self._incoming: dict[int, Incoming] = {}
        self._open: set[int] = set()
        self._blocked: deque[tuple[int, bytes, bool]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._pings = 0
        self._used_at = self._loop.time()
        self._closing = False
        self._streams = service.traits.streams
        self._h2.initiate_connection()
        self._h2.update_settings(
            {
                SettingCodes.MAX_CONCURRENT_STREAMS: self._streams,
                SettingCodes.INITIAL_WINDOW_SIZE: service.traits.window,
            }
        )
        if service.traits.age:
            self._after(service.traits.age, self.go_away, b"max_age")
        if service.traits.idle:
            self._after(service.traits.idle, self._look_idle)

    def receive(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                self._on(event)
        except ProtocolError:
            # h2 has prepared a GOAWAY that tells the peer what it did.
            self._flush()
            self._transport.close()
        else:
            self._flush()

    def lost(self) -> None:
        for task in self._tasks:
            task.cancel()
        for timer in self._timers:
            timer.cancel()

    def allow_streams(self, count: int) -> None:
        if count != self._streams and not self._closing:
            self._streams = count
            self._h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: count})

    def go_away(self, debug: bytes, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        if not self._closing:
            self._goodbye(self._h2.highest_inbound_stream_id, debug, code)

    def _on(self, event: object) -> None:
        if isinstance(event, RequestReceived):
            self._pings = 0
            self._used_at = self._loop.time()
            pairs = [(str(name), str(value)) for name, value in event.headers]
            self._incoming[event.stream_id] = Incoming(pairs)
        elif isinstance(event, DataReceived):
            incoming = self._incoming.get(event.stream_id)
            if incoming and len(incoming.body) <= self._service.traits.body_bytes:
                incoming.body += event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            incoming = self._incoming.pop(event.stream_id, None)
            if incoming is not None:
                self._open.add(event.stream_id)
                self._ask(event.stream_id, incoming)
        elif isinstance(event, StreamReset):
            self._incoming.pop(event.stream_id, None)
            self._open.discard(event.stream_id)
        elif isinstance(event, WindowUpdated):
            self._unblock()
        elif isinstance(event, PingReceived):
            self._pings += 1
            if 0 < self._service.traits.pings <= self._pings:
                self.go_away(b"too_many_pings", ErrorCodes.ENHANCE_YOUR_CALM)
        elif isinstance(event, ConnectionTerminated):
            self._transport.close()

    def _ask(self, stream: int, incoming: Incoming) -> None:
        method, path = "", ""
        for name, value in incoming.headers:
            if name == ":method":
                method = value
            elif name == ":path":
                path = value
        if len(incoming.body) > self._service.traits.body_bytes:
            self._send(stream, Response(413))
            return
        answer = self._service.answer(incoming.request(method, path, self, "2"))
        if isinstance(answer, Response):
            self._answer(stream, answer)
            return
        task = self._loop.create_task(self._later(stream, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, stream: int, answer: Any) -> None:
        self._answer(stream, await answer)
        self._flush()

    def _answer(self, stream: int, response: Response) -> None:
        if response.delay:
            self._after(response.delay, self._send_late, stream, response)
        else:
            self._send(stream, response)

    def _send_late(self, stream: int, response: Response) -> None:
        self._send(stream, response)
        self._flush()

    def _send(self, stream: int, response: Response) -> None:
        if stream not in self._open or self._transport.is_closing():
            return
        match response.manner:
            case Manner.SILENCE:
                return
            case Manner.DROP:
                self._transport.abort()
            case Manner.RESET:
                self._close_stream(stream)
                self._h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
            case Manner.REFUSE:
                self._close_stream(stream)
                self._h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            case Manner.GOAWAY:
                self._open -= {number for number in self._open if number >= stream}
                self._goodbye(max(stream - 2, 0), response.debug, ErrorCodes.NO_ERROR)
            case Manner.GOAWAY_AFTER:
                self._goodbye(stream, response.debug, ErrorCodes.NO_ERROR)
                self._write(stream, response)
            case _:
                self._write(stream, response)
        if self._closing and not self._open:
            self._loop.call_soon(self._transport.close)

    def _write(self, stream: int, response: Response) -> None:
        headers = [(":status", str(response.status)), *response.headers]
        if not response.body:
            self._h2.send_headers(stream, headers, end_stream=True)
            self._close_stream(stream)
            return
        self._h2.send_headers(stream, headers)
        if response.manner is Manner.SPLIT:
            half = len(response.body) // 2
            pieces = [response.body[:half], response.body[half:]]
        elif response.manner is Manner.TRAILING:
            pieces = [response.body, b""]
        else:
            pieces = [response.body]
        for piece in pieces[:-1]:
            self._piece(stream, piece, last=False)
            # Two frames in one read would hide the split from a careless client.
            self._flush()
        self._piece(stream, pieces[-1], last=True)

    def _piece(self, stream: int, piece: bytes, *, last: bool) -> None:
        """Send a piece of a body, or keep it until the peer opens its window."""
        if self._blocked or len(piece) > self._h2.local_flow_control_window(stream):
            self._blocked.append((stream, piece, last))
        else:
            self._h2.send_data(stream, piece, end_stream=last)
            if last:
                self._close_stream(stream)

    def _unblock(self) -> None:
        blocked, self._blocked = self._blocked, deque()
        for stream, piece, last in blocked:
            if stream in self._open:
                self._piece(stream, piece, last=last)

    def _goodbye(self, last_stream: int, debug: bytes, code: ErrorCodes) -> None:
        """Say GOAWAY past h2, which would refuse to answer open streams afterwards."""
        self._flush()
        self._closing = True
        payload = last_stream.to_bytes(4, "big") + int(code).to_bytes(4, "big") + debug
        header = len(payload).to_bytes(3, "big") + b"\x07\x00" + bytes(4)
        self._transport.write(header + payload)
        if not self._open:
            self._loop.call_soon(self._transport.close)

    def _close_stream(self, stream: int) -> None:
        self._open.discard(stream)
        if self._closing and not self._open:
            self._loop.call_soon(self._transport.close)

    def _look_idle(self) -> None:
        quiet = self._loop.time() - self._used_at
        if quiet >= self._service.traits.idle and not self._open:
            self.go_away(b"session_timeout")
        else:
            self._after(max(self._service.traits.idle - quiet, 0.1), self._look_idle)

    def _after(self, seconds: float, call: Any, *args: Any) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            call(*args)

        timer = self._loop.call_later(seconds, fire)
        self._timers.add(timer)

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)
