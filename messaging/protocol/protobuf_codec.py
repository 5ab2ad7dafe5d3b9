"""Values to and from length-delimited Protobuf: the format of iOS, Android and Flutter."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, cast

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtobufMessage

from messaging.protocol import client_pb2
from messaging.protocol.codec import is_payload
from messaging.protocol.codes import DisconnectCode, ProtocolViolation
from messaging.protocol.frames import (
    PING,
    PONG,
    Answer,
    Command,
    Event,
    Push,
    Reply,
    Request,
    Result,
)
from messaging.protocol.requests import ConnectRequest
from messaging.protocol.results import Error
from messaging.protocol.shapes import EVENTS, REQUESTS, RESULTS, Field, Form, fields_of
from messaging.protocol.values import ClientInfo, Publication, Value

_UINT64_MAX: Final = 2**63 - 1
_BYTES: Final = [bytes((number,)) for number in range(0x80)]

# Tags of what a publication is wrapped in: the field's number, and how it is written.
_PUSH: Final = bytes((4 << 3 | 2,))
_CHANNEL: Final = bytes((2 << 3 | 2,))
_PUB: Final = bytes((4 << 3 | 2,))
_DATA: Final = bytes((4 << 3 | 2,))
_OFFSET: Final = bytes((6 << 3 | 0,))


class ProtobufCodec:
    """A frame is binary: each message after its length as a varint."""

    name = "protobuf"
    subprotocol = "centrifuge-protobuf"
    binary = True
    one_way = False
    ping = b"\x00"
    pong = b"\x00"

    def decode_commands(self, frame: bytes, *, limit: int) -> list[Command]:
        commands: list[Command] = []
        for encoded in _messages(frame):
            if len(commands) == limit:
                raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "too many commands in a frame")
            commands.append(_command(encoded))
        return commands

    def decode_connect(self, frame: bytes) -> ConnectRequest:
        message = client_pb2.ConnectRequest()
        _parse(message, frame)
        return cast(ConnectRequest, _shapes[ConnectRequest].from_wire(message))

    def decode_answers(self, frame: bytes) -> list[Answer]:
        return [_answer(encoded) for encoded in _messages(frame)]

    def encode_command(self, command: Command) -> bytes:
        request = {} if command.request is None else _member(command.request)
        return _delimited(client_pb2.Command(id=command.id, **request).SerializeToString())

    def encode_reply(self, reply: Reply) -> bytes:
        result = _member(reply.result)
        return _delimited(client_pb2.Reply(id=reply.id, **result).SerializeToString())

    def encode_push(self, push: Push) -> bytes:
        message = client_pb2.Push(channel=push.channel, **_member(push.event))
        return _delimited(client_pb2.Reply(push=message).SerializeToString())

    def encode_publication(
        self, channel: str, data: bytes, *, offset: int = 0, info: ClientInfo | None = None
    ) -> bytes:
        if info is not None or not (channel and offset and data):
            return self.encode_push(Push(Publication(data, info, offset), channel))
        # Written by hand in a third of the library's time: this is what fan-out is made of.
        name = channel.encode()
        publication = _DATA + _delimited(data) + _OFFSET + _varint(offset)
        push = _CHANNEL + _delimited(name) + _PUB + _delimited(publication)
        return _delimited(_PUSH + _delimited(push))

    def is_payload(self, data: bytes) -> bool:
        return is_payload(data)

    def quoted(self, text: bytes) -> bytes:
        return text

    def unquoted(self, data: bytes) -> bytes:
        return data

    def join(self, encoded: Iterable[bytes]) -> bytes:
        return b"".join(encoded)


PROTOBUF: Final = ProtobufCodec()


def _messages(frame: bytes) -> Iterator[bytes]:
    """The messages of a frame. A length is believed only as far as the frame reaches."""
    if not frame:
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "frame is empty")
    at, end = 0, len(frame)
    while at < end:
        length = shift = 0
        while True:
            if at == end or shift > 28:
                raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "frame is not understood")
            byte = frame[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if length > end - at:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "frame is cut off")
        yield frame[at : at + length]
        at += length


def _delimited(message: bytes) -> bytes:
    return _varint(len(message)) + message


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _BYTES[number]
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _member(value: Value) -> dict[str, Any]:
    """The value as its generated message, under the name it has in the message around it."""
    return {_NAMES[type(value)]: _shapes[type(value)].to_wire(value)}


def _parse(message: ProtobufMessage, encoded: bytes) -> None:
    try:
        message.ParseFromString(encoded)
    except DecodeError as error:
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "frame is not understood") from error


def _command(encoded: bytes) -> Command:
    if not encoded:
        return PONG
    message = client_pb2.Command()
    _parse(message, encoded)
    # In the order of their numbers, so that the first of several requests counts.
    for field, value in message.ListFields():
        if (shape := _REQUESTS.get(field.name)) is not None:
            return Command(message.id, cast(Request, shape.from_wire(value)))
    return Command(message.id)


def _answer(encoded: bytes) -> Answer:
    message = client_pb2.Reply()
    _parse(message, encoded)
    if message.id:
        for field, value in message.ListFields():
            if (shape := _RESULTS.get(field.name)) is not None:
                return Reply(message.id, cast(Result | Error, shape.from_wire(value)))
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "reply answers nothing")
    if not message.HasField("push"):
        return PING
    for field, value in message.push.ListFields():
        if (shape := _EVENTS.get(field.name)) is not None:
            return Push(cast(Event, shape.from_wire(value)), message.push.channel)
    raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "push says nothing")


# --- Between values and generated messages ----------------------------------------------------


class _Turn(NamedTuple):
    """How one field's value becomes the message's, and back."""

    outward: Callable[[Any], Any]
    inward: Callable[[Any], Any]


class _Shape:
    """A kind of value, its generated message, and the way between the two."""

    def __init__(self, kind: type[Value]) -> None:
        self.kind = kind
        self.wire: type[ProtobufMessage] = getattr(client_pb2, kind.__name__)
        # Known before its fields are: a filter holds filters.
        _shapes[kind] = self
        fields = fields_of(kind)
        numbers = self.wire.DESCRIPTOR.fields_by_name
        turns = [(field.name, _turn(field, numbers[field.name])) for field in fields]
        self._outward = [(name, turn and turn.outward) for name, turn in turns]
        self._inward = {name: turn and turn.inward for name, turn in turns}
        self._needed = [(field.name, field.zero) for field in fields if field.required]

    def to_wire(self, value: Value) -> ProtobufMessage:
        fields = {}
        for (name, outward), held in zip(
            self._outward, msgspec.structs.astuple(value), strict=True
        ):
            if held:
                fields[name] = held if outward is None else outward(held)
        return self.wire(**fields)

    def from_wire(self, message: ProtobufMessage) -> Value:
        fields = {name: zero() for name, zero in self._needed}
        for field, held in message.ListFields():
            inward = self._inward[field.name]
            fields[field.name] = held if inward is None else inward(held)
        return self.kind(**fields)


_shapes: Final[dict[type[Value], _Shape]] = {}


def _shape(kind: type[Value]) -> _Shape:
    return _shapes.get(kind) or _Shape(kind)


def _turn(field: Field, descriptor: FieldDescriptor) -> _Turn | None:
    match field.form:
        case Form.TEXTS:
            return _Turn(_same, tuple)
        case Form.NAMED_TEXTS:
            return _Turn(_same, dict)
        case Form.PLAIN if descriptor.type == FieldDescriptor.TYPE_UINT64:
            return _Turn(_same, _uint64)
        case Form.PLAIN | Form.PAYLOAD:
            return None
    assert field.kind is not None
    outward, inward = _shape(field.kind).to_wire, _shape(field.kind).from_wire
    match field.form:
        case Form.MANY:
            return _Turn(
                lambda values: map(outward, values), lambda messages: tuple(map(inward, messages))
            )
        case Form.NAMED:
            return _Turn(_each_named(outward), _each_named(inward))
        case _:
            return _Turn(outward, inward)


def _same(value: Any) -> Any:
    return value


def _uint64(number: int) -> int:
    if number > _UINT64_MAX:
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "number is out of range")
    return number


def _each_named(turn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: {name: turn(value) for name, value in values.items()}


_REQUESTS: Final = {name: _shape(kind) for name, kind in REQUESTS.items()}
_RESULTS: Final = {name: _shape(kind) for name, kind in RESULTS.items()}
_EVENTS: Final = {name: _shape(kind) for name, kind in EVENTS.items()}

_NAMES: Final = {
    shape.kind: name for shapes in (_REQUESTS, _RESULTS, _EVENTS) for name, shape in shapes.items()
}
