"""The port of a wire format, and what both formats demand of a payload."""

import re
from collections.abc import Iterable
from typing import Protocol

import msgspec

from messaging.protocol.frames import Answer, Command, Push, Reply
from messaging.protocol.requests import ConnectRequest
from messaging.protocol.values import ClientInfo

PAYLOAD_DEPTH = 64
"""Payloads nested deeper are refused, so that nobody who decodes one later runs out of stack."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
[_ARRAY] = b"["
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_json_text = msgspec.json.Decoder(msgspec.Raw)


class Codec(Protocol):
    """The server's half: bytes to commands, values to bytes. Stateless: all connections share one.

    Decoding raises `ProtocolViolation` and nothing else, whatever the bytes are. Encoding
    trusts its values: they are ours.
    """

    name: str
    subprotocol: str
    binary: bool
    one_way: bool
    """Whether only the server speaks: no replies but pushes, no pongs, errors close."""
    ping: bytes
    pong: bytes

    def decode_commands(self, frame: bytes, *, limit: int) -> list[Command]:
        """The commands of one frame, in order; more than `limit` are a violation."""
        ...

    def decode_connect(self, frame: bytes) -> ConnectRequest:
        """A connect request alone, as it opens a one-way connection."""
        ...

    def is_payload(self, data: bytes) -> bool:
        """Whether what a command brought is fit to be a payload."""
        ...

    def encode_reply(self, reply: Reply) -> bytes: ...

    def encode_push(self, push: Push) -> bytes: ...

    def encode_publication(
        self, channel: str, data: bytes, *, offset: int = 0, info: ClientInfo | None = None
    ) -> bytes:
        """What `encode_push` gives for a publication with these fields, sooner."""
        ...

    def quoted(self, text: bytes) -> bytes:
        """A payload, or a delta, as it stands in publications of a subscription with deltas."""
        ...

    def join(self, encoded: Iterable[bytes]) -> bytes:
        """One frame of several encoded answers, or commands."""
        ...


class ClientCodec(Codec, Protocol):
    """Both halves."""

    def decode_answers(self, frame: bytes) -> list[Answer]:
        """The replies, pushes and pings of one frame, in order."""
        ...

    def encode_command(self, command: Command) -> bytes: ...

    def unquoted(self, data: bytes) -> bytes:
        """What was quoted. Raises `ProtocolViolation` for what cannot have been."""
        ...


def is_payload(data: bytes) -> bool:
    """Whether `data` is what a payload must be: one JSON value as UTF-8 text, not too deep."""
    try:
        data.decode()
        _json_text.decode(data)
    except (ValueError, RecursionError):
        return False
    return is_shallow(data)


def is_shallow(data: bytes) -> bool:
    """Whether a JSON text is not nested too deep."""
    # The usual ones are too short for it: a level below another takes five bytes, `{"":}`, or
    # two where there are arrays.
    if len(data) <= (2 if _ARRAY in data else 5) * PAYLOAD_DEPTH:
        return True
    if data.count(b"[") + data.count(b"{") <= PAYLOAD_DEPTH:
        return True
    return _depth(data) <= PAYLOAD_DEPTH


def _depth(text: bytes) -> int:
    """How deep the arrays and objects of a valid JSON text are nested."""
    depth = deepest = 0
    for bracket in _STRING.sub(b"", text).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
