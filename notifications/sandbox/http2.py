"""HTTP/2 for the sandbox's services: the wire speaks, answers leave as the window lets them."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from notifications.http2.decoder import Header
from notifications.http2.encoder import literal, status
from notifications.http2.ends import ServerWire
from notifications.http2.frames import PREFACE, ErrorCode, Http2Error, Setting
from notifications.sandbox.http import Incoming, Manner, Response, Service
from notifications.sandbox.http2_rules import flaw_in, is_whole


class Http2Connection:
    """One connection with its streams. What the peer breaks ends the connection, nothing else."""

    def __init__(self, transport: asyncio.Transport, service: Service) -> None:
        self.session: Any = service.session()
        self._transport = transport
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._incoming: dict[int, Incoming] = {}
        self._open: set[int] = set()
        self._blocked: deque[tuple[int, bytes, bool]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._pings = 0
        self._used_at = self._loop.time()
        self._closing = False
        self._streams = service.traits.streams
        settings: dict[int, int] = {
            Setting.MAX_CONCURRENT_STREAMS: self._streams,
            Setting.INITIAL_WINDOW_SIZE: service.traits.window,
        }
        self._wire = ServerWire(self, settings=settings)
        self._preface = len(PREFACE)
        self._flush()
        if service.traits.age:
            self._after(service.traits.age, self.go_away, b"max_age")
        if service.traits.idle:
            self._after(service.traits.idle, self._look_idle)

    def receive(self, data: bytes) -> None:
        """Take what came, the preface first, whose beginning was looked at already."""
        if self._preface:
            skipped = min(self._preface, len(data))
            self._preface -= skipped
            data = data[skipped:]
        try:
            self._wire.receive(data)
        except Http2Error as broken:
            # Past `_goodbye`, since nothing is answered any more.
            self._wire.go_away(self._wire.highest, broken.code, str(broken).encode())
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
            self._wire.tell({Setting.MAX_CONCURRENT_STREAMS: count})

    def go_away(self, debug: bytes, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        if not self._closing:
            self._goodbye(self._wire.highest, debug, code)

    # The wire calls what follows.

    def on_headers(self, stream: int, headers: list[Header], ended: bool) -> None:
        incoming = self._incoming.get(stream)
        if incoming is None:
            if self._closing or flaw_in(headers) or self._is_full():
                self._refuse(stream, headers)
                return
            self._pings = 0
            self._used_at = self._loop.time()
            pairs = [(name.decode(), value.decode("utf-8", "replace")) for name, value in headers]
            self._incoming[stream] = incoming = Incoming(pairs)
        if ended:
            self._whole(stream, incoming)

    def _is_full(self) -> bool:
        """Whether the caller has as many streams as it knows that it may have."""
        most = self._wire.agreed.get(Setting.MAX_CONCURRENT_STREAMS)
        return most is not None and len(self._incoming) + len(self._open) >= most

    def _refuse(self, stream: int, headers: list[Header]) -> None:
        self._wire.forget(stream)
        if not self._closing:
            code = ErrorCode.PROTOCOL_ERROR if flaw_in(headers) else ErrorCode.REFUSED_STREAM
            self._wire.reset(stream, code)

    def on_data(self, stream: int, data: bytes, ended: bool) -> None:
        incoming = self._incoming.get(stream)
        if incoming is not None:
            if len(incoming.body) <= self._service.traits.body_bytes:
                incoming.body += data
            if ended:
                self._whole(stream, incoming)

    def on_reset(self, stream: int, code: int) -> None:
        self._incoming.pop(stream, None)
        self._close_stream(stream)

    def on_settings(self, said: Mapping[int, int]) -> None:
        self._unblock()

    def on_window(self) -> None:
        self._unblock()

    def on_ping(self) -> None:
        self._pings += 1
        if 0 < self._service.traits.pings <= self._pings:
            self.go_away(b"too_many_pings", ErrorCode.ENHANCE_YOUR_CALM)

    def on_goaway(self, last_stream: int, debug: bytes) -> None:
        self._transport.close()

    def _whole(self, stream: int, incoming: Incoming) -> None:
        """The request is complete."""
        del self._incoming[stream]
        if not is_whole(incoming.headers, len(incoming.body)):
            self._wire.reset(stream, ErrorCode.PROTOCOL_ERROR)
            self._wire.forget(stream)
            return
        self._open.add(stream)
        self._ask(stream, incoming)

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
                self._wire.reset(stream, ErrorCode.INTERNAL_ERROR)
                self._close_stream(stream)
            case Manner.REFUSE:
                self._wire.reset(stream, ErrorCode.REFUSED_STREAM)
                self._close_stream(stream)
            case Manner.GOAWAY:
                self._open -= {number for number in self._open if number >= stream}
                self._goodbye(max(stream - 2, 0), response.debug, ErrorCode.NO_ERROR)
            case Manner.GOAWAY_AFTER:
                self._goodbye(stream, response.debug, ErrorCode.NO_ERROR)
                self._write(stream, response)
            case _:
                self._write(stream, response)
        if self._closing and not self._open:
            self._loop.call_soon(self._transport.close)

    def _write(self, stream: int, response: Response) -> None:
        said = ((name.encode(), value.encode()) for name, value in response.headers)
        block = status(response.status) + literal(said)
        self._wire.send_headers(stream, block, ended=not response.body)
        if not response.body:
            self._close_stream(stream)
            return
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
        if self._blocked or len(piece) > self._wire.room(stream):
            self._blocked.append((stream, piece, last))
        else:
            self._wire.send_data(stream, piece, ended=last)
            if last:
                self._close_stream(stream)

    def _unblock(self) -> None:
        blocked, self._blocked = self._blocked, deque()
        for stream, piece, last in blocked:
            if stream in self._open:
                self._piece(stream, piece, last=last)

    def _goodbye(self, last_stream: int, debug: bytes, code: ErrorCode) -> None:
        self._closing = True
        self._wire.go_away(last_stream, code, debug)
        self._flush()
        if not self._open:
            self._loop.call_soon(self._transport.close)

    def _close_stream(self, stream: int) -> None:
        self._open.discard(stream)
        self._wire.forget(stream)
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
        data = self._wire.to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)
