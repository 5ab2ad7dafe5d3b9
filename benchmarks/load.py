"""A WebSocket load client: one thread, one epoll, no library between it and the sockets.

It is not the bottleneck: it only counts a marker in what arrives, and reports how busy it was
itself, so that a run in which it had no time left can be told from a good one.
"""

import base64
import os
import resource
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CONNECTING_AT_ONCE = 64
DEADLINE = 60.0
"""Seconds after which a handshake or a drained window counts as failed."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server is spoken to. Frames are text; payloads are what goes into them."""

    path: str
    hello: Callable[[int], Sequence[bytes]]
    """What connection number n says once it is open."""
    answers: Sequence[tuple[bytes, bytes]]
    """When the first is seen in what arrives, say the second (empty: ready)."""
    publish: Callable[[int, int], bytes]
    """The payload that publishes message number n, made at an instant in nanoseconds."""
    marker: bytes = b'"t":"'
    """Occurs exactly once in each delivered message, followed by 19 digits of nanoseconds."""
    headers: str = ""


@dataclass(slots=True)
class Connection:
    sock: socket.socket
    number: int
    opened: bool = False
    step: int = 0
    carry: bytes = b""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run showed. Latencies are from publishing to the last byte read, in ms."""

    messages_per_second: float
    deliveries_per_second: float
    p50_ms: float
    p99_ms: float
    client_busy: float
    server_cpu_us_per_delivery: float


@dataclass(slots=True)
class Load:
    """Subscribers and one publisher, all on 127.0.0.1."""

    port: int
    dialect: Dialect
    subscribers: int
    pid: int
    """The server's process, whose processor time and memory are looked at."""
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
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(
            (
                f"GET {self.dialect.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
                f"{self.dialect.headers}\r\n"
            ).encode()
        )
        sock.setblocking(False)
        connection = Connection(sock, number)
        self.connections.append(connection)
        self._by_fd[sock.fileno()] = connection
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _advance(self, connection: Connection) -> None:
        data = connection.carry + _read(connection.sock)
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
        self._ready += 1

    def fan_out(self, *, in_flight: int, seconds: float, warm_up: float = 1.0) -> Measured:
        """Publish with `in_flight` messages under way, for a while; all subscribers count."""
        publisher = self.connections[-1]
        marker, width = self.dialect.marker, len(self.dialect.marker)
        published = received = 0
        latencies: list[int] = []
        begin = time.monotonic() + warm_up
        end = begin + seconds
        mark: tuple[float, int, int, float, float] | None = None
        while (now := time.monotonic()) < end:
            if mark is None and now >= begin:
                mark = (now, published, received, _own_cpu(), cpu_seconds(self.pid))
                latencies.clear()
            while published * self.subscribers < received + in_flight * self.subscribers:
                payload = self.dialect.publish(published, time.monotonic_ns())
                publisher.sock.sendall(frame(payload))
                published += 1
            for fd, _ in self._epoll.poll(0.5):
                connection = self._by_fd[fd]
                data = connection.carry + _read(connection.sock)
                if connection is publisher and not self._counts(publisher):
                    continue
                count = data.count(marker)
                received += count
                connection.carry = b""
                if data[-1:] not in b"}]" and (cut := data.rfind(b"{")) >= 0:
                    # The chunk ends inside a message: keep what may hold half a marker.
                    tail = data[cut:]
                    received -= tail.count(marker)
                    connection.carry = tail
                if count and fd % 16 == 0:
                    at = data.rfind(marker) + width
                    if len(data) >= at + 19:
                        latencies.append(time.monotonic_ns() - int(data[at : at + 19]))
        assert mark is not None
        elapsed = time.monotonic() - mark[0]
        delivered = received - mark[2]
        latencies.sort()
        return Measured(
            messages_per_second=(published - mark[1]) / elapsed,
            deliveries_per_second=delivered / elapsed,
            p50_ms=_percentile(latencies, 0.50),
            p99_ms=_percentile(latencies, 0.99),
            client_busy=(_own_cpu() - mark[3]) / elapsed,
            server_cpu_us_per_delivery=(cpu_seconds(self.pid) - mark[4]) / delivered * 1e6,
        )

    def _counts(self, publisher: Connection) -> bool:
        return publisher.number < self.subscribers

    def close(self) -> None:
        for connection in self.connections:
            connection.sock.close()
        self._epoll.close()


def frame(payload: bytes) -> bytes:
    """A masked text frame. The mask is zero: it is the server's parser that is measured."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BBI", 0x81, 0x80 | size, 0) + payload
    if size < 65536:
        return struct.pack("!BBHI", 0x81, 0xFE, size, 0) + payload
    return struct.pack("!BBQI", 0x81, 0xFF, size, 0) + payload


def padded(number: int, nanoseconds: int, size: int) -> str:
    """A JSON object of exactly `size` bytes that carries an instant."""
    head = f'{{"t":"{nanoseconds:019d}","n":{number},"text":"'
    return f'{head}{"x" * (size - len(head) - 2)}"}}'


def _read(sock: socket.socket) -> bytes:
    data = sock.recv(1 << 18)
    if not data:
        raise ConnectionError("the server closed a connection under load")
    return data


def _percentile(ordered: Sequence[int], share: float) -> float:
    return ordered[int(len(ordered) * share)] / 1e6 if ordered else float("nan")


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its threads so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
