"""Both formats where only the server speaks: pushes without a reply around them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from messaging.protocol.codec import Codec
from messaging.protocol.events import Connect
from messaging.protocol.frames import Command, Push, Reply
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import ConnectRequest
from messaging.protocol.results import ConnectResult
from messaging.protocol.values import ClientInfo


class Unidirectional:
    """A codec over another: what it decodes is one connect, what it encodes are pushes.

    The answer to the connect is a push as well, and no other command is ever answered.
    """

    one_way = True

    def __init__(self, codec: Codec, *, bare: Callable[[bytes], bytes]) -> None:
        self.name = codec.name
        self.subprotocol = codec.subprotocol
        self.binary = codec.binary
        self.ping = codec.ping
        self.pong = codec.pong
        self._codec = codec
        self._bare = bare

    def decode_commands(self, frame: bytes, *, limit: int) -> list[Command]:
        return [Command(1, self._codec.decode_connect(frame))]

    def decode_connect(self, frame: bytes) -> ConnectRequest:
        return self._codec.decode_connect(frame)

    def is_payload(self, data: bytes) -> bool:
        return self._codec.is_payload(data)

    def encode_reply(self, reply: Reply) -> bytes:
        result = reply.result
        assert type(result) is ConnectResult, "only a connect is answered"
        fields = {name: getattr(result, name) for name in Connect.__struct_fields__}
        return self.encode_push(Push(Connect(**fields)))

    def encode_push(self, push: Push) -> bytes:
        return self._bare(self._codec.encode_push(push))

    def encode_publication(
        self, channel: str, data: bytes, *, offset: int = 0, info: ClientInfo | None = None
    ) -> bytes:
        return self._bare(self._codec.encode_publication(channel, data, offset=offset, info=info))

    def quoted(self, text: bytes) -> bytes:
        return self._codec.quoted(text)

    def join(self, encoded: Iterable[bytes]) -> bytes:
        return self._codec.join(encoded)


_REPLY: Final = len(b'{"push":')


def _bare_json(encoded: bytes) -> bytes:
    return encoded[_REPLY:-1]


def _bare_protobuf(encoded: bytes) -> bytes:
    """What follows the reply's length and the push's tag is the push with its own length."""
    at = 0
    while encoded[at] > 0x7F:
        at += 1
    return encoded[at + 2 :]


ONE_WAY: Final[Mapping[Codec, Codec]] = {
    JSON: Unidirectional(JSON, bare=_bare_json),
    PROTOBUF: Unidirectional(PROTOBUF, bare=_bare_protobuf),
}
"""Each format as it is where only the server speaks."""
