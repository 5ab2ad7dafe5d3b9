"""What is fuzzed: each target takes bytes, whatever they are, and fails when we misbehave.

The same targets serve the recorded corpus, hypothesis and the coverage-guided fuzzer.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from centrifuge.protocol import client_pb2 as official

from messaging.connections.framing import FrameReader, FrameViolation
from messaging.protocol import fossil
from messaging.protocol.codec import ClientCodec
from messaging.protocol.codes import ProtocolViolation
from messaging.protocol.emulation import emulation_request
from messaging.protocol.frames import Command
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import SendRequest
from messaging.protocol.server import Rules, ServerProtocol
from messaging.protocol.shapes import REQUESTS, Form, fields_of
from messaging.protocol.unidirectional import ONE_WAY

LIMIT = 65_536
COMMANDS = 64
RULES = Rules(commands_per_frame=COMMANDS)


def json_commands(data: bytes) -> None:
    """A frame of a JSON client; Python's own parser judges what we made of it."""
    commands = _decoded(JSON, data)
    # That parser has limits of its own: on depth, and on the digits of a number.
    with suppress(RecursionError, ValueError):
        for command, line in zip(commands, list(_lines(data)) if commands else [], strict=True):
            assert command.id == line.get("id", 0)
            if command.request is not None:
                _same_as_json(command.request, line[_name_of(command)])


def protobuf_commands(data: bytes) -> None:
    """A frame of a Protobuf client; the official client's schema judges what we made of it."""
    for command, encoded in zip(_decoded(PROTOBUF, data), _messages(data), strict=False):
        theirs = official.Command.FromString(encoded)
        assert command.id == theirs.id
        if command.request is not None:
            _same_as_protobuf(command.request, getattr(theirs, _name_of(command)))


def answers(data: bytes) -> None:
    """What a server might say to our own client, in either format."""
    for codec in (JSON, PROTOBUF):
        with suppress(ProtocolViolation):
            codec.decode_answers(data)


def requests(data: bytes) -> None:
    """Bodies of HTTP requests: what opens a one-way stream, and what says something to a stream."""
    for codec in (JSON, PROTOBUF):
        with suppress(ProtocolViolation):
            asked = codec.decode_connect(data)
            assert ONE_WAY[codec].decode_commands(data, limit=1) == [Command(1, asked)]
    for binary in (False, True):
        said = emulation_request(data, binary=binary)
        assert said is None or len(said.data) <= len(data)


def session(data: bytes) -> None:
    """The frames of a connection, through the protocol's state machine."""
    codec = PROTOBUF if data[:1] > b"\x7f" else JSON
    protocol = ServerProtocol(codec, rules=RULES, now=0.0)
    with suppress(ProtocolViolation):
        for frame in pieces(data[1:]):
            for command in protocol.receive(frame):
                assert command.id or type(command.request) is SendRequest


def websocket(data: bytes) -> None:
    """The bytes of a TCP stream, cut anywhere, through the WebSocket's framing."""
    reader, taken = FrameReader(), 0
    with suppress(FrameViolation):
        for piece in pieces(data):
            taken += len(piece)
            for _, payload in reader.feed(piece, limit=LIMIT):
                assert len(payload) <= min(LIMIT, taken)
    assert len(reader._rest) + len(reader._message or b"") <= taken


def delta(data: bytes) -> None:
    """A delta for something; and two payloads, of which we make one."""
    before, _, after = data.partition(b"|")
    with suppress(ProtocolViolation):
        assert len(fossil.apply(before, after, limit=LIMIT)) <= LIMIT
    assert fossil.apply(before, fossil.delta(before, after), limit=len(after)) == after


Target = Callable[[bytes], None]

TARGETS: Mapping[str, Target] = {
    each.__name__: each
    for each in (
        json_commands,
        protobuf_commands,
        answers,
        requests,
        session,
        websocket,
        delta,
    )
}
"""The targets that are pure. The whole connection is one more, and needs a node."""


# --- bytes that are several -----------------------------------------------------------------------


def pieces(data: bytes) -> list[bytes]:
    """Pieces, each after its length in two bytes; the last one may be cut off."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return found


def joined(*parts: bytes) -> bytes:
    """What `pieces` takes apart again."""
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


# --- judges ---------------------------------------------------------------------------------------


def _decoded(codec: ClientCodec, data: bytes) -> list[Command]:
    """The commands of a frame, none if it is refused; they survive being written again."""
    try:
        commands = codec.decode_commands(data, limit=COMMANDS)
    except ProtocolViolation:
        return []
    assert 0 < len(commands) <= COMMANDS
    again = codec.decode_commands(codec.join(map(codec.encode_command, commands)), limit=COMMANDS)
    # Payloads are written without the line ends between their tokens.
    assert again == commands or b"\n" in data or b"\r" in data
    return commands


def _name_of(command: Command) -> str:
    return next(name for name, kind in REQUESTS.items() if type(command.request) is kind)


def _lines(frame: bytes) -> Iterator[dict[str, Any]]:
    decoder, text, at = json.JSONDecoder(strict=False), frame.decode(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        line, at = decoder.raw_decode(text, at)
        yield line


def _same_as_json(value: Any, parsed: dict[str, Any]) -> None:
    for field in fields_of(type(value)):
        held = getattr(value, field.name)
        if field.name not in parsed:
            assert held == field.zero()
        elif field.form is Form.PAYLOAD:
            assert json.loads(held, strict=False) == parsed[field.name]
        elif field.kind is None:
            assert msgspec.to_builtins(held) == parsed[field.name]


def _messages(frame: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(frame):
        size = shift = 0
        byte = 0x80
        while byte & 0x80:
            byte = frame[at]
            size |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
        yield frame[at : at + size]
        at += size


def _same_as_protobuf(value: Any, theirs: Any) -> None:
    known = theirs.DESCRIPTOR.fields_by_name
    for field in fields_of(type(value)):
        if field.kind is None and field.name in known:
            held, said = getattr(value, field.name), getattr(theirs, field.name)
            assert held == (dict(said) if field.form is Form.NAMED_TEXTS else said)
