"""What a service of the sandbox is asked and answers, whichever HTTP version carries it."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import msgspec

Headers = tuple[tuple[str, str], ...]


class Manner(StrEnum):
    """How an answer travels, or fails to."""

    PLAIN = "plain"
    SPLIT = "split"
    """The body comes in two frames."""
    TRAILING = "trailing"
    """An empty frame of its own ends the body, as FCM does it."""
    SILENCE = "silence"
    """Nothing comes, ever."""
    RESET = "reset"
    """The stream is reset after the request was read."""
    REFUSE = "refuse"
    """The stream is reset with REFUSED_STREAM: not processed."""
    DROP = "drop"
    """The connection is lost."""
    GOAWAY = "goaway"
    """The connection ends and this request was not processed; earlier ones are answered."""
    GOAWAY_AFTER = "goaway_after"
    """The connection ends and this request is still answered, after the GOAWAY."""


class Peer(Protocol):
    """The connection a request came on."""

    @property
    def session(self) -> Any:
        """What the service remembers about this connection."""
        ...

    def allow_streams(self, count: int) -> None:
        """How many requests may be under way at once (HTTP/2)."""
        ...

    def go_away(self, debug: bytes) -> None:
        """Answer what was asked, and ask for nothing more on this connection."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One request, complete. Header names are lower case; `repeated` came more than once."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: Peer
    repeated: frozenset[str] = frozenset()
    version: str = "1.1"


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, and how it travels. `delay` is in seconds."""

    status: int
    body: bytes = b""
    headers: Headers = ()
    manner: Manner = Manner.PLAIN
    delay: float = 0.0
    debug: bytes = b""
    """What a GOAWAY says."""


@dataclass(frozen=True, slots=True)
class Traits:
    """How a service's connections behave; times in seconds, 0 for never."""

    streams: int = 100
    idle: float = 0.0
    age: float = 0.0
    pings: int = 0
    """Pings without a request between them that end a connection."""
    body_bytes: int = 65_536
    window: int = 65_535
    """Bytes that may be on their way to us on one stream (HTTP/2)."""
    connect: float = 0.0
    """Until a new connection is spoken to, its TLS handshake included."""


class Service(Protocol):
    """Something the sandbox serves: FCM, APNs, the page."""

    @property
    def traits(self) -> Traits: ...

    def session(self) -> Any:
        """What to remember about a new connection."""
        ...

    def answer(self, request: Request) -> Response | Awaitable[Response]: ...


@dataclass(slots=True)
class Incoming:
    """A request that is still arriving."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    def request(self, method: str, path: str, peer: Peer, version: str) -> Request:
        names = [name for name, _ in self.headers]
        return Request(
            method=method,
            path=path,
            headers=dict(self.headers),
            body=bytes(self.body),
            peer=peer,
            repeated=frozenset(name for name in names if names.count(name) > 1)
            if len(set(names)) != len(names)
            else frozenset(),
            version=version,
        )


def json_response(status: int, value: object, *headers: tuple[str, str]) -> Response:
    """An answer with a JSON body."""
    kind = ("content-type", "application/json; charset=UTF-8")
    return Response(status, msgspec.json.encode(value), (kind, *headers))
