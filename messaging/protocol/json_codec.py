"""Values to and from newline-delimited JSON: one object a line, payloads embedded as they are."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from messaging.protocol.codec import is_shallow
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
from messaging.protocol.requests import ConnectRequest, RPCRequest
from messaging.protocol.results import Error, RPCResult
from messaging.protocol.shapes import EVENTS, REQUESTS, RESULTS, Field, Form, fields_of
from messaging.protocol.values import ClientInfo, Publication, Uint32, Value

_encode = msgspec.json.Encoder().encode
_text = msgspec.json.Decoder(str)


class JsonCodec:
    """The format of browsers and Python. A frame is text; several answers are several lines."""

    name = "json"
    subprotocol = "centrifuge-json"
    binary = False
    one_way = False
    ping = b"{}"
    pong = b"{}"

    def decode_commands(self, frame: bytes, *, limit: int) -> list[Command]:
        if frame == self.pong:
            return [PONG]
        ends = frame.count(b"\n")
        if not ends:
            return [_command(_decoded(_command_line, frame))]
        # Before anything is made of them; some lines may be empty.
        if ends > 2 * limit:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "too many lines in a frame")
        lines = _lines(_command_line, frame)
        if len(lines) > limit:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "too many commands in a frame")
        return [_command(line) for line in lines]

    def decode_connect(self, frame: bytes) -> ConnectRequest:
        wire = _decoded(_connect_text, frame)
        return cast(ConnectRequest, _shapes[ConnectRequest].from_wire(wire))

    def decode_answers(self, frame: bytes) -> list[Answer]:
        return [_answer(line) for line in _lines(_answer_line, frame)]

    def encode_command(self, command: Command) -> bytes:
        if command.request is None:
            return b'{"id":%d}' % command.id if command.id else self.pong
        end = b',"id":%d}' % command.id if command.id else b"}"
        return b"{" + _member(command.request) + end

    def encode_reply(self, reply: Reply) -> bytes:
        result = reply.result
        if type(result) is RPCResult and result.data:
            # What `_member` would give, sooner: nothing is answered as often.
            return _one_line(b'{"id":%d,"rpc":{"data":%b}}' % (reply.id, result.data))
        return b'{"id":%d,%b}' % (reply.id, _member(reply.result))

    def encode_push(self, push: Push) -> bytes:
        channel = b'"channel":%b,' % _encode(push.channel) if push.channel else b""
        return b'{"push":{%b%b}}' % (channel, _member(push.event))

    def encode_publication(
        self, channel: str, data: bytes, *, offset: int = 0, info: ClientInfo | None = None
    ) -> bytes:
        if info is not None or not (channel and offset and data):
            return self.encode_push(Push(Publication(data, info, offset), channel))
        return _one_line(
            b'{"push":{"channel":%b,"pub":{"data":%b,"offset":%d}}}'
            % (_encode(channel), data, offset)
        )

    def is_payload(self, data: bytes) -> bool:
        # It was taken out of valid JSON.
        return data != b"" and is_shallow(data)

    def quoted(self, text: bytes) -> bytes:
        return _encode(text.decode())

    def unquoted(self, data: bytes) -> bytes:
        try:
            return _text.decode(data).encode()
        except ValueError as error:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "data is no text") from error

    def join(self, encoded: Iterable[bytes]) -> bytes:
        return b"\n".join(encoded)


JSON: Final = JsonCodec()


def _member(value: Value) -> bytes:
    """The value with its name in front, as it stands in an object."""
    return _KEYS[type(value)] + _one_line(_encode(_shapes[type(value)].to_wire(value)))


def _one_line(text: bytes) -> bytes:
    """Valid JSON has line ends only between its tokens, where a space says the same."""
    if b"\n" in text or b"\r" in text:
        return text.replace(b"\n", b" ").replace(b"\r", b" ")
    return text


def _lines(decode: Callable[[bytes], Any], frame: bytes) -> list[Any]:
    """What stands on each line that is not empty: one object, and it ends there."""
    lines = [_decoded(decode, line) for line in frame.split(b"\n") if line and not line.isspace()]
    if not lines:
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "frame is empty")
    return lines


def _decoded(decode: Callable[[bytes], Any], frame: bytes) -> Any:
    try:
        # msgspec passes payloads through without looking whether they are UTF-8.
        if not frame.isascii():
            frame.decode()
        return decode(frame)
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "frame is not understood") from error


def _command(line: Any) -> Command:
    values = msgspec.structs.astuple(line)
    if values.count(None) == len(values) - 2 and (wire := line.rpc) is not None:
        # What `from_wire` would do, sooner: nothing is asked as often.
        return Command(line.id, RPCRequest(wire.method, _payload(wire.data)))
    for name, shape in _REQUESTS:
        if (wire := getattr(line, name)) is not None:
            return Command(line.id, cast(Request, shape.from_wire(wire)))
    return Command(line.id) if line.id else PONG


def _answer(line: Any) -> Answer:
    if line.id:
        for name, shape in _RESULTS:
            if (wire := getattr(line, name)) is not None:
                return Reply(line.id, cast(Result | Error, shape.from_wire(wire)))
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "reply answers nothing")
    if line.push is None:
        return PING
    for name, shape in _EVENTS:
        if (wire := getattr(line.push, name)) is not None:
            return Push(cast(Event, shape.from_wire(wire)), line.push.channel)
    raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "push says nothing")


# --- Between values and what msgspec reads and writes -----------------------------------------
#
# A payload is bytes to us, but msgspec embeds only what is `Raw`, and writes bytes in base 64. So
# each kind of value that holds a payload, at any depth, has a twin for the wire.


class _Turn(NamedTuple):
    """How one field differs in the twin."""

    type: Any
    outward: Callable[[Any], Any]
    inward: Callable[[Any], Any]


class _Shape:
    """A kind of value, its twin (or itself, without payloads), and the way between the two."""

    def __init__(self, kind: type[Value]) -> None:
        self.kind = kind
        self.wire: type[msgspec.Struct] = kind
        # Known before its fields are: a filter holds filters.
        _shapes[kind] = self
        turns = {field.name: turn for field in fields_of(kind) if (turn := _turn(field))}
        declared = msgspec.structs.fields(kind)
        self._turns = [
            (at, turns[each.name]) for at, each in enumerate(declared) if each.name in turns
        ]
        if turns:
            self.wire = msgspec.defstruct(
                kind.__name__,
                [_declaration(each, turns.get(each.name)) for each in declared],
                omit_defaults=True,
                gc=False,
            )

    def to_wire(self, value: Value) -> msgspec.Struct:
        if not self._turns:
            return value
        fields = list(msgspec.structs.astuple(value))
        for at, turn in self._turns:
            fields[at] = turn.outward(fields[at])
        return self.wire(*fields)

    def from_wire(self, wire: msgspec.Struct) -> Value:
        if not self._turns:
            return cast(Value, wire)
        fields = list(msgspec.structs.astuple(wire))
        for at, turn in self._turns:
            fields[at] = turn.inward(fields[at])
        return self.kind(*fields)


_shapes: Final[dict[type[Value], _Shape]] = {}


def _shape(kind: type[Value]) -> _Shape:
    return _shapes.get(kind) or _Shape(kind)


def _turn(field: Field) -> _Turn | None:
    if field.form is Form.PAYLOAD:
        return _Turn(
            Raw | UnsetType,
            lambda payload: Raw(payload) if payload else UNSET,
            _payload,
        )
    if field.kind is None:
        return None
    shape = _shape(field.kind)
    wire, outward, inward = shape.wire, shape.to_wire, shape.from_wire
    if wire is field.kind:
        return None
    match field.form:
        case Form.MAYBE:
            return _Turn(wire | None, _if_any(outward), _if_any(inward))
        case Form.MANY:
            return _Turn(tuple[wire, ...], _each(outward), _each(inward))  # type: ignore[valid-type]
        case Form.NAMED:
            return _Turn(dict[str, wire], _each_named(outward), _each_named(inward))  # type: ignore[valid-type]
        case _:
            return _Turn(wire, outward, inward)


def _payload(raw: Any) -> bytes:
    return b"" if raw is UNSET else bytes(raw)


def _if_any(turn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else turn(value)


def _each(turn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: tuple(map(turn, values))


def _each_named(turn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: {name: turn(value) for name, value in values.items()} if values else {}


def _declaration(declared: msgspec.structs.FieldInfo, turn: _Turn | None) -> tuple[str, Any, Any]:
    """The twin's field: zero is where it was, but an absent payload is unset."""
    type_ = declared.type if turn is None else turn.type
    default: Any = declared.default
    if declared.default_factory is not msgspec.NODEFAULT:
        default = msgspec.field(default_factory=declared.default_factory)
    elif default == b"":
        default = UNSET
    return declared.name, type_, default


def _line_of(name: str, shapes: Iterable[tuple[str, _Shape]], *more: tuple[str, Any, Any]) -> Any:
    fields = [(each, shape.wire | None, None) for each, shape in shapes]
    return msgspec.defstruct(name, [*more, *fields], gc=False)


_REQUESTS: Final = [(name, _shape(kind)) for name, kind in REQUESTS.items()]
_RESULTS: Final = [(name, _shape(kind)) for name, kind in RESULTS.items()]
_EVENTS: Final = [(name, _shape(kind)) for name, kind in EVENTS.items()]

_KEYS: Final = {
    shape.kind: b'"%b":' % name.encode() for name, shape in (*_REQUESTS, *_RESULTS, *_EVENTS)
}

_push_line = _line_of("Push", _EVENTS, ("channel", str, ""))
_command_line = msgspec.json.Decoder(_line_of("Command", _REQUESTS, ("id", Uint32, 0))).decode
_answer_line = msgspec.json.Decoder(
    _line_of("Reply", _RESULTS, ("id", Uint32, 0), ("push", _push_line | None, None))
).decode
_connect_text = msgspec.json.Decoder(_shapes[ConnectRequest].wire).decode
