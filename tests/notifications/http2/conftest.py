"""One end of ours, which keeps what it hears, and h2 at the other end."""

from collections.abc import Callable, Mapping

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection

from notifications.http2.decoder import Header
from notifications.http2.ends import ClientWire, Head, ServerWire
from notifications.http2.frames import PREFACE, Setting
from notifications.http2.wire import Wire

POST = Head(
    pseudo=((b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost")),
    common=((b"apns-topic", b"app.zaffa.demo"),),
    path=b"/3/device/00aa",
    own=((b"authorization", b"bearer x"), (b"apns-id", b"1")),
)


class Heard:
    """Everything that the wire tells, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def on_headers(self, stream: int, headers: list[Header], ended: bool) -> None:
        self.calls.append(("headers", stream, headers, ended))

    def on_data(self, stream: int, data: bytes, ended: bool) -> None:
        self.calls.append(("data", stream, data, ended))

    def on_reset(self, stream: int, code: int) -> None:
        self.calls.append(("reset", stream, code))

    def on_settings(self, said: Mapping[int, int]) -> None:
        self.calls.append(("settings", dict(said)))

    def on_window(self) -> None:
        self.calls.append(("window",))

    def on_ping(self) -> None:
        self.calls.append(("ping",))

    def on_goaway(self, last_stream: int, debug: bytes) -> None:
        self.calls.append(("goaway", last_stream, debug))

    def of(self, kind: str) -> list[tuple[object, ...]]:
        """What was told of that kind."""
        return [each[1:] for each in self.calls if each[0] == kind]


class Asking:
    """Our client, and h2's server."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.wire = ClientWire(self.heard)
        self.peer = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.peer.initiate_connection()

    def ask(self, body: bytes = b"{}", head: Head = POST) -> int:
        return self.wire.ask(head, body)

    def exchange(self) -> list[object]:
        """What both have to say to each other, until they are done; the peer's events."""
        return exchanged(self.wire, self.peer, self.wire.receive)


class Answering:
    """Our server, and h2's client."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.wire = ServerWire(self.heard, settings={Setting.INITIAL_WINDOW_SIZE: 1000})
        self.peer = H2Connection(H2Configuration(header_encoding=None))
        self.peer.initiate_connection()
        self._preface = len(PREFACE)

    def ask(self, stream: int, body: bytes = b"") -> None:
        head = [*POST.pseudo, (b":path", POST.path), *POST.common, *POST.own]
        self.peer.send_headers(stream, head, end_stream=not body)
        if body:
            self.peer.send_data(stream, body, end_stream=True)

    def exchange(self) -> list[object]:
        """What both have to say to each other, until they are done; the peer's events."""
        return exchanged(self.wire, self.peer, self._take)

    def _take(self, data: bytes) -> None:
        skipped = min(self._preface, len(data))
        self._preface -= skipped
        self.wire.receive(data[skipped:])


def exchanged(wire: Wire, peer: H2Connection, take: Callable[[bytes], None]) -> list[object]:
    events: list[object] = []
    while True:
        ours, theirs = wire.to_send(), peer.data_to_send()
        if not ours and not theirs:
            return events
        events += peer.receive_data(ours)
        take(theirs)


@pytest.fixture
def asking() -> Asking:
    there = Asking()
    there.exchange()
    return there


@pytest.fixture
def answering() -> Answering:
    there = Answering()
    there.exchange()
    return there
