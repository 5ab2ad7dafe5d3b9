"""How answers stand in a stream: as server-sent events, as lines, or each after its length."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from messaging.protocol.codec import Codec


@dataclass(frozen=True, slots=True)
class Form:
    """One way of putting encoded answers behind one another."""

    medium: str
    content_type: str
    opening: bytes
    """What is sent at once, so that the client and all between it and us see the stream begin."""
    framed: Callable[[bytes], bytes]
    """An encoded answer as it stands in the stream."""


def _event(answer: bytes) -> bytes:
    return b"data: %b\n\n" % answer


def _line(answer: bytes) -> bytes:
    return answer + b"\n"


def _itself(answer: bytes) -> bytes:
    return answer


SSE: Final = Form("sse", "text/event-stream; charset=utf-8", b"\r\n", _event)
_LINES: Final = Form("http_stream", "application/json", b"", _line)
_LENGTHS: Final = Form("http_stream", "application/octet-stream", b"", _itself)


def http_stream(codec: Codec) -> Form:
    """JSON stands line by line; Protobuf's answers say their length themselves."""
    return _LENGTHS if codec.binary else _LINES
