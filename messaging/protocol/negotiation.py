"""Which wire format a WebSocket handshake asks for."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from messaging.protocol.codec import Codec
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF

_CODECS: Final[Mapping[str, Codec]] = {codec.subprotocol: codec for codec in (JSON, PROTOBUF)}


class Agreement(NamedTuple):
    """What a handshake agrees on.

    `subprotocol` is the one to name in the answer, if any. With `native_pings` the client wants
    the WebSocket's own pings instead of the protocol's; over plain ASGI it gets the protocol's.
    """

    codec: Codec
    subprotocol: str | None
    native_pings: bool


def agree(offered: Iterable[str], query: Mapping[str, str]) -> Agreement:
    """The format for these subprotocols and this query string; JSON unless asked otherwise.

    Old Python clients offer an empty subprotocol: as good as none. The answer may name only
    what was offered, so a format asked for in the query can go with another name, or none.
    """
    subprotocol = next((name for name in offered if name in _CODECS), None)
    codec = _CODECS[subprotocol] if subprotocol else JSON
    if PROTOBUF.name in (query.get("format"), query.get("cf_protocol")):
        codec = PROTOBUF
    return Agreement(codec, subprotocol, query.get("cf_ws_frame_ping_pong") == "true")
