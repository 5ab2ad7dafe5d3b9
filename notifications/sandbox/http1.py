"""HTTP/1.1 for the sandbox's services: httptools reads, answers leave in order."""

import asyncio
from collections import deque
from http import HTTPStatus
from typing import Any

import httptools

from notifications.sandbox.http import Incoming, Manner, Request, Response, Service

_CLOSING = frozenset({Manner.RESET, Manner.REFUSE, Manner.DROP, Manner.GOAWAY})


class Http1Connection:
    """One connection; one request at a time is being answered, the rest wait behind it."""

    def __init__(self, transport: asyncio.Transport, service: Service) -> None:
        self.session: Any = service.session()
        self._transport = transport
        self._service = service
        self._parser = httptools.HttpRequestParser(self)
        self._incoming = Incoming()
        self._path = ""
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def receive(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._write(Response(400), keep=False)

    def lost(self) -> None:
        self._waiting.clear()
        if self._answering is not None:
            self._answering.cancel()

    def allow_streams(self, count: int) -> None:
        """HTTP/1.1 has one request at a time anyway."""

    def go_away(self, debug: bytes) -> None:
        """HTTP/1.1 has no word for it; the client finds the connection closed."""
        self._transport.close()

    # httptools calls these while it reads.

    def on_message_begin(self) -> None:
        self._incoming = Incoming()
        self._path = ""

    def on_url(self, url: bytes) -> None:
        self._path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._incoming.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        if len(self._incoming.body) <= self._service.traits.body_bytes:
            self._incoming.body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("ascii")
        request = self._incoming.request(method, self._path, self, "1.1")
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._answering is None and len(self._waiting) == 1:
            self._next()

    def _next(self) -> None:
        while self._waiting and self._answering is None:
            request, keep = self._waiting[0]
            if len(request.body) > self._service.traits.body_bytes:
                response = Response(413)
            else:
                answer = self._service.answer(request)
                if not isinstance(answer, Response):
                    self._answering = self._loop.create_task(self._later(answer, keep))
                    return
                response = answer
            if response.delay:
                self._answering = self._loop.create_task(self._delayed(response, keep))
                return
            self._waiting.popleft()
            self._send(response, keep=keep)

    async def _later(self, answer: Any, keep: bool) -> None:
        await self._delayed(await answer, keep)

    async def _delayed(self, response: Response, keep: bool) -> None:
        if response.delay:
            over = self._loop.create_future()
            timer = self._loop.call_later(response.delay, over.set_result, None)
            try:
                await over
            finally:
                timer.cancel()
        self._answering = None
        self._waiting.popleft()
        self._send(response, keep=keep)
        self._next()

    def _send(self, response: Response, *, keep: bool) -> None:
        if response.manner in _CLOSING:
            self._transport.abort()
        elif response.manner is not Manner.SILENCE:
            self._write(response, keep=keep and response.manner is not Manner.GOAWAY_AFTER)

    def _write(self, response: Response, *, keep: bool) -> None:
        if self._transport.is_closing():
            return
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines += [f"content-length: {len(response.body)}"]
        if not keep:
            lines.append("connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        if response.manner is Manner.SPLIT:
            half = len(response.body) // 2
            self._transport.write(head + response.body[:half])
            self._loop.call_later(0.01, self._transport.write, response.body[half:])
        else:
            self._transport.write(head + response.body)
        if not keep:
            self._transport.close()
