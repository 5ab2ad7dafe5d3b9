"""What a request over HTTP/2 must look like (RFC 9113, 8.1 to 8.3). Pure."""

import re
from collections.abc import Sequence
from functools import lru_cache

from notifications.http2.decoder import Header

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+\Z")
_OF_CONNECTIONS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
_NEEDED = frozenset({b":method", b":scheme", b":path"})


def flaw_in(headers: Sequence[Header]) -> str:
    """What is wrong with a request's headers; empty when nothing is."""
    pseudo: set[bytes] = set()
    regular = False
    for name, value in headers:
        if name.startswith(b":"):
            if regular or name not in _PSEUDO or name in pseudo:
                return "pseudo headers"
            pseudo.add(name)
        else:
            regular = True
            if not _is_allowed(name) or (name == b"te" and value != b"trailers"):
                return "a name that no request has"
    return "" if pseudo >= _NEEDED else "a pseudo header is missing"


def is_whole(headers: Sequence[tuple[str, str]], body: int) -> bool:
    """Whether the body is as long as the request said."""
    said = [value for name, value in headers if name == "content-length"]
    return not said or said == [str(body)]


@lru_cache(maxsize=1024)
def _is_allowed(name: bytes) -> bool:
    return name not in _OF_CONNECTIONS and _NAME.match(name) is not None
