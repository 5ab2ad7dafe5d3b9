"""What a client says in a request of its own, because its connection is a stream from us."""

import msgspec
from google.protobuf.message import DecodeError

from messaging.protocol import client_pb2


class EmulationRequest(msgspec.Struct, frozen=True):
    """A frame for the connection with this session, on this node."""

    node: str
    session: str
    data: bytes


class _Text(msgspec.Struct, frozen=True):
    """The same in JSON, where the frame is a string."""

    node: str
    session: str
    data: str


_text = msgspec.json.Decoder(_Text)


def emulation_request(body: bytes, *, binary: bool) -> EmulationRequest | None:
    """What the body of a request says; None for a body that says nothing of the kind."""
    try:
        if binary:
            message = client_pb2.EmulationRequest.FromString(body)
            return EmulationRequest(message.node, message.session, message.data)
        text = _text.decode(body)
        return EmulationRequest(text.node, text.session, text.data.encode())
    except (ValueError, RecursionError, DecodeError):
        return None
