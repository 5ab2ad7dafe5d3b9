"""A WebSocket load client: it opens connections here, and writes and reads in C (`load.c`).

It reports how busy it was itself, so that a run in which it had no time left can be told from
a good one.
"""

import base64
import ctypes
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from benchmarks.machine import cpu_seconds

CONNECTING_AT_ONCE = 64
DEADLINE = 120.0
"""Seconds after which opening connections counts as failed."""
INSTANT = "0" * 19
"""Where a payload shall carry the instant of its publishing, in nanoseconds."""
COUNT = "_" * 9
"""Where it shall carry its number in the run."""
_SAMPLES = 1 << 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server is spoken to, in text frames."""

    path: str
    hello: Callable[[int], Sequence[bytes]]
    """What connection number n says once it is open."""
    answers: Sequence[tuple[bytes, bytes]]
    """When the first is seen in what arrives, say the second (empty: nothing)."""
    say: Callable[[int], bytes]
    """What connection n says; each `INSTANT` and `COUNT` in it is replaced. All of one size."""
    delivery: bytes | None = b'"t":"'
    """Occurs exactly once in each delivered message, just before the instant."""
    answer: bytes = b""
    """Occurs exactly once in each answer to what is said."""


@dataclass(slots=True)
class Connection:
    """One socket on its way to being subscribed."""

    sock: socket.socket
    number: int
    opened: bool = False
    step: int = 0
    carry: bytes = b""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run showed. Latencies are in milliseconds."""

    messages_per_second: float
    deliveries_per_second: float
    p50_ms: float
    """From publishing to reading."""
    p99_ms: float
    answer_p50_ms: float
    """From asking to the answer."""
    answer_p99_ms: float
    client_busy: float
    server_cores: float
    """Processor time of the server per second; the warm-up is in this figure too."""

    @property
    def server_us_per_delivery(self) -> float:
        return self.server_cores / self.deliveries_per_second * 1e6

    @property
    def server_us_per_message(self) -> float:
        return self.server_cores / self.messages_per_second * 1e6


class _Load(ctypes.Structure):
    _fields_ = (
        ("sockets", ctypes.POINTER(ctypes.c_int)),
        ("count", ctypes.c_int),
        ("frames", ctypes.POINTER(ctypes.c_char_p)),
        ("frame_size", ctypes.c_int),
        ("stamps", ctypes.POINTER(ctypes.c_int)),
        ("stamp_count", ctypes.c_int),
        ("counts", ctypes.POINTER(ctypes.c_int)),
        ("count_count", ctypes.c_int),
        ("delivery", ctypes.c_char_p),
        ("answer", ctypes.c_char_p),
        ("in_flight", ctypes.c_int),
        ("pause", ctypes.c_double),
        ("warm_up", ctypes.c_double),
        ("seconds", ctypes.c_double),
    )


class _Measured(ctypes.Structure):
    _fields_ = (
        ("elapsed", ctypes.c_double),
        ("busy", ctypes.c_double),
        ("published", ctypes.c_uint64),
        ("received", ctypes.c_uint64),
        ("sample_count", ctypes.c_uint64),
        ("samples", ctypes.POINTER(ctypes.c_int64)),
        ("answer_count", ctypes.c_uint64),
        ("answers", ctypes.POINTER(ctypes.c_int64)),
    )


@dataclass(slots=True)
class Load:
    """Connections to a server on 127.0.0.1; the last one opened publishes."""

    port: int
    dialect: Dialect
    pids: Sequence[int]
    """The server's processes, whose processor time is looked at."""
    ports: Sequence[int] = ()
    """Those of several nodes, in turn."""
    connections: list[Connection] = field(default_factory=list)
    _epoll: select.epoll = field(default_factory=select.epoll)
    _by_fd: dict[int, Connection] = field(default_factory=dict)
    _ready: int = 0

    def connect(self, count: int) -> float:
        """Open `count` more connections, subscribed; how many a second that was."""
        started = time.monotonic()
        target, first = self._ready + count, len(self.connections)
        while self._ready < target:
            waiting = len(self.connections) - self._ready
            while waiting < CONNECTING_AT_ONCE and len(self.connections) < first + count:
                self._open(len(self.connections))
                waiting += 1
            for fd, _ in self._epoll.poll(1.0):
                self._advance(self._by_fd[fd])
            if time.monotonic() - started > DEADLINE:
                raise TimeoutError(f"{self._ready} of {target} connections became ready")
        return count / (time.monotonic() - started)

    def _open(self, number: int) -> None:
        port = self.ports[number % len(self.ports)] if self.ports else self.port
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(
            (
                f"GET {self.dialect.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
            ).encode()
        )
        sock.setblocking(False)
        connection = Connection(sock, number)
        self.connections.append(connection)
        self._by_fd[sock.fileno()] = connection
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _advance(self, connection: Connection) -> None:
        received = connection.sock.recv(1 << 16)
        if not received:
            raise ConnectionError("the server closed a connection that was opening")
        data = connection.carry + received
        if not connection.opened:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                connection.carry = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(head[:200].decode())
            connection.opened = True
            for payload in self.dialect.hello(connection.number):
                connection.sock.sendall(frame(payload))
        while connection.step < len(self.dialect.answers):
            seen, say = self.dialect.answers[connection.step]
            at = data.find(seen)
            if at < 0:
                connection.carry = data
                return
            data = data[at + len(seen) :]
            connection.step += 1
            if say:
                connection.sock.sendall(frame(say))
        connection.carry = b""
        self._epoll.unregister(connection.sock.fileno())
        self._ready += 1

    def fan_out(
        self, *, in_flight: int, seconds: float, warm_up: float = 1.0, pause: float = 0.0
    ) -> Measured:
        """Keep `in_flight` messages under way for a while; everybody but the publisher counts."""
        return self._run(
            _library().fan_out,
            in_flight=in_flight,
            pause=pause,
            warm_up=warm_up,
            seconds=seconds,
        )

    def exchange(self, *, seconds: float, warm_up: float = 1.0) -> Measured:
        """Let every connection ask, wait for its answer and ask again, for a while."""
        return self._run(_library().exchange, warm_up=warm_up, seconds=seconds)

    def _run(self, loop: Callable[..., int], **how: float) -> Measured:
        said = [frame(self.dialect.say(each.number)) for each in self.connections]
        assert len(set(map(len, said))) == 1, "what connections say must be of one size"
        changed_in_place = [ctypes.create_string_buffer(each, len(each) + 1) for each in said]
        frames = (ctypes.c_char_p * len(said))(
            *(ctypes.cast(each, ctypes.c_char_p) for each in changed_in_place)
        )
        stamps = _all(said[-1], INSTANT.encode())
        counts = _all(said[-1], COUNT.encode())
        sockets = [connection.sock.fileno() for connection in self.connections]
        load = _Load(
            sockets=(ctypes.c_int * len(sockets))(*sockets),
            count=len(sockets),
            frames=frames,
            frame_size=len(said[-1]),
            stamps=(ctypes.c_int * len(stamps))(*stamps),
            stamp_count=len(stamps),
            counts=(ctypes.c_int * len(counts))(*counts),
            count_count=len(counts),
            delivery=self.dialect.delivery,
            answer=self.dialect.answer,
            **how,
        )
        samples, answers = (ctypes.c_int64 * _SAMPLES)(), (ctypes.c_int64 * _SAMPLES)()
        result = _Measured(samples=samples, answers=answers)
        before, started = self._cpu_seconds(), time.monotonic()
        if loop(ctypes.byref(load), ctypes.byref(result)):
            raise ConnectionError(f"the load ended: {os.strerror(ctypes.get_errno())}")
        cores = (self._cpu_seconds() - before) / (time.monotonic() - started)
        delivered = sorted(samples[: result.sample_count])
        answered = sorted(answers[: result.answer_count])
        return Measured(
            messages_per_second=result.published / result.elapsed,
            deliveries_per_second=result.received / result.elapsed,
            p50_ms=_percentile(delivered, 0.50),
            p99_ms=_percentile(delivered, 0.99),
            answer_p50_ms=_percentile(answered, 0.50),
            answer_p99_ms=_percentile(answered, 0.99),
            client_busy=result.busy,
            server_cores=cores,
        )

    def _cpu_seconds(self) -> float:
        return sum(map(cpu_seconds, self.pids))

    def close(self) -> None:
        for connection in self.connections:
            connection.sock.close()
        self._epoll.close()


@cache
def _library() -> ctypes.CDLL:
    compiler = shutil.which("cc")
    if compiler is None:
        raise RuntimeError("make bench needs a C compiler (cc) for its load client")
    target = Path(tempfile.mkdtemp(prefix="zaffa-bench-")) / "load.so"
    source = Path(__file__).with_name("load.c")
    subprocess.run([compiler, "-O2", "-Wall", "-shared", "-fPIC", "-o", target, source], check=True)
    return ctypes.CDLL(str(target), use_errno=True)


def frame(payload: bytes) -> bytes:
    """A masked text frame. The mask is zero, so that a payload can be changed in place."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BBI", 0x81, 0x80 | size, 0) + payload
    if size < 65536:
        return struct.pack("!BBHI", 0x81, 0xFE, size, 0) + payload
    return struct.pack("!BBQI", 0x81, 0xFF, size, 0) + payload


def padded(size: int) -> str:
    """A JSON object of exactly `size` bytes that carries the instant of its publishing."""
    head = f'{{"t":"{INSTANT}","text":"'
    return f'{head}{"x" * (size - len(head) - 2)}"}}'


def _all(text: bytes, part: bytes) -> list[int]:
    found, at = [], text.find(part)
    while at >= 0:
        found.append(at)
        at = text.find(part, at + len(part))
    return found


def _percentile(ordered: Sequence[int], share: float) -> float:
    return ordered[int(len(ordered) * share)] / 1e6 if ordered else float("nan")
