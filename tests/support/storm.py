"""A reconnect storm: many clients that come at once, and come again as the official clients do.

A program of its own, so that what it costs is not taken for the server's slowness. It reads
what to do from standard input, says `ready` when it could begin, begins at the next line, and
writes what came of it.
"""

import asyncio
import base64
import json
import os
import random
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Self

PATIENCE = 5.0
"""Seconds after which an official client gives a connect or subscribe up."""
FIRST, LONGEST = 0.5, 20.0
"""Seconds of an official client's backoff, with full jitter above the first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who comes, and where to."""

    port: int
    hellos: Sequence[str]
    """For each client what it says once connected: lines of JSON commands."""
    answers: int
    """How many answers without an error make it complete."""
    within: float
    """Seconds after which the storm is given up."""


@dataclass(slots=True)
class Outcome:
    """What came of it. Times are in seconds since the beginning."""

    complete: int = 0
    returned: list[float] = field(default_factory=list)
    attempts: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    slowest_answer: float = 0.0
    """How long an attempt took, at most, until it was answered with an error."""


@dataclass(slots=True)
class _Client:
    hello: bytes
    sock: socket.socket | None = None
    buffer: bytearray = field(default_factory=bytearray)
    began: float = 0.0
    attempt: int = 0
    opened: bool = False
    answered: int = 0
    complete: bool = False


class Storm:
    """All clients on one epoll."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._epoll = select.epoll()
        self._by_fd: dict[int, _Client] = {}
        self._due: list[tuple[float, int, _Client, int]] = []
        self._order = count()
        self._clients = [_Client(frame(hello.encode())) for hello in plan.hellos]
        self._failures: Counter[str] = Counter()
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Until everybody is there, or the time is up."""
        began = time.monotonic()
        for client in self._clients:
            self._later(client, began)
        while self.outcome.complete < len(self._clients):
            now = time.monotonic()
            if now - began > self._plan.within:
                break
            while self._due and self._due[0][0] <= now:
                _, _, client, attempt = heappop(self._due)
                if client.attempt != attempt or client.complete:
                    continue
                if client.sock is None:
                    self._connect(client, now)
                else:
                    self._failed(client, "timeout", now)
            wait = self._due[0][0] - now if self._due else 0.1
            for fd, events in self._epoll.poll(max(0.0, min(wait, 0.1))):
                self._advance(self._by_fd[fd], events, time.monotonic(), began)
        self.outcome.failures = dict(self._failures)
        return self.outcome

    def _later(self, client: _Client, now: float) -> None:
        """Come again after what an official client waits."""
        ceiling = min(LONGEST, FIRST * 2 ** min(client.attempt, 31))
        delay = min(LONGEST, FIRST + random.uniform(0.0, ceiling))
        client.attempt += 1
        self._push(client, now + delay)

    def _push(self, client: _Client, at: float) -> None:
        heappush(self._due, (at, next(self._order), client, client.attempt))

    def _connect(self, client: _Client, now: float) -> None:
        self.outcome.attempts += 1
        client.sock = socket.socket()
        client.sock.setblocking(False)
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sock.connect_ex(("127.0.0.1", self._plan.port))
        client.began, client.opened, client.answered = now, False, 0
        client.buffer.clear()
        self._by_fd[client.sock.fileno()] = client
        self._epoll.register(client.sock.fileno(), select.EPOLLOUT | select.EPOLLIN)
        self._push(client, now + PATIENCE)

    def _failed(self, client: _Client, why: str, now: float) -> None:
        assert client.sock is not None
        self._failures[why] += 1
        if why != "timeout":
            self.outcome.slowest_answer = max(self.outcome.slowest_answer, now - client.began)
        self._epoll.unregister(client.sock.fileno())
        del self._by_fd[client.sock.fileno()]
        client.sock.close()
        client.sock = None
        self._later(client, now)

    def _advance(self, client: _Client, events: int, now: float, began: float) -> None:
        assert client.sock is not None
        try:
            if events & select.EPOLLOUT:
                self._epoll.modify(client.sock.fileno(), select.EPOLLIN)
                client.sock.send(self._handshake())
            if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                data = client.sock.recv(1 << 16)
                if not data:
                    raise ConnectionError
                client.buffer += data
                self._read(client)
        except BlockingIOError:
            return
        except Declined as declined:
            self._failed(client, str(declined), now)
            return
        except OSError:
            self._failed(client, "cut", now)
            return
        if client.answered >= self._plan.answers and not client.complete:
            client.complete = True
            self.outcome.complete += 1
            self.outcome.returned.append(now - began)

    def _read(self, client: _Client) -> None:
        assert client.sock is not None
        if not client.opened:
            head, end, rest = bytes(client.buffer).partition(b"\r\n\r\n")
            if not end:
                return
            status = head.split(b" ", 2)[1].decode()
            if status != "101":
                raise Declined(f"HTTP {status}")
            client.opened = True
            client.buffer[:] = rest
            client.sock.send(client.hello)
        while (found := unframed(client.buffer)) is not None:
            opcode, payload = found
            if opcode == 8:
                raise Declined(f"close {int.from_bytes(payload[:2], 'big')}")
            for line in payload.splitlines():
                said = json.loads(line)
                if "error" in said:
                    raise Declined(f"error {said['error']['code']}")
                if not said:
                    client.sock.send(_PONG)
                elif "id" in said:
                    client.answered += 1

    def _handshake(self) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        return (
            f"GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1:{self._plan.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n"
        ).encode()


class Declined(Exception):
    """The server said no for now."""


def frame(payload: bytes) -> bytes:
    """A text frame as clients send it, masked with nothing."""
    size = len(payload)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    else:
        head = bytes((0x81, 0x80 | 126)) + size.to_bytes(2, "big")
    return head + bytes(4) + payload


_PONG = frame(b"{}")


def unframed(buffer: bytearray) -> tuple[int, bytes] | None:
    """Take the first frame of a server out of a buffer, if it is whole."""
    if len(buffer) < 2:
        return None
    size, at = buffer[1], 2
    if size == 126:
        size, at = int.from_bytes(buffer[2:4], "big"), 4
    elif size == 127:
        size, at = int.from_bytes(buffer[2:10], "big"), 10
    if len(buffer) < at + size:
        return None
    opcode, payload = buffer[0] & 0x0F, bytes(buffer[at : at + size])
    del buffer[: at + size]
    return opcode, payload


class Brewing:
    """A storm in a process of its own: it breaks loose when told to, and stays to the end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def begun(cls, plan: Plan) -> AsyncIterator[Self]:
        """A storm that is ready to break loose."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.storm",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            limit=1 << 24,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
        assert await process.stdout.readline() == b"ready\n"
        try:
            yield cls(process)
        finally:
            process.stdin.close()
            await process.wait()

    async def breaks(self) -> Outcome:
        """Everybody comes; what became of it once they are there, or the time is up."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"now\n")
        return Outcome(**json.loads(await self._process.stdout.readline()))


def hello(token: str, channel: str, *, offset: int, epoch: str = "") -> str:
    """What a client says that returns to a channel from an offset on. It gets two answers."""
    return "\n".join(
        (
            json.dumps({"id": 1, "connect": {"token": token}}),
            json.dumps(
                {
                    "id": 2,
                    "subscribe": {
                        "channel": channel,
                        "recover": True,
                        "offset": offset,
                        "epoch": epoch,
                    },
                }
            ),
        )
    )


def main() -> None:
    storm = Storm(Plan(**json.loads(sys.stdin.readline())))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(storm.run())), flush=True)
    # Everybody stays until whoever began it has seen enough.
    sys.stdin.read()


if __name__ == "__main__":
    main()
