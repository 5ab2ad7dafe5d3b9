"""Values to and from newline-delimited JSON: one object a line, payloads embedded as they are."""

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import msgspec

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
from messaging.protocol.json_shapes import SHAPES, Shape, payload_of, shape_of
from messaging.protocol.requests import ConnectRequest, RPCRequest
from messaging.protocol.results import Error, HistoryResult, RPCResult
from messaging.protocol.shapes import EVENTS, REQUESTS, RESULTS
from messaging.protocol.values import ClientInfo, Publication, Uint32, Value

# Looking for a byte by its number takes a fraction of the time that looking for b"\n" does.
_LINE_FEED, _CARRIAGE_RETURN = b"\n\r"
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
        if _LINE_FEED not in frame:
            return [_command(_decoded(_command_line, frame))]
        # Before anything is made of them; some lines may be empty.
        if frame.count(b"\n") > 2 * limit:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "too many lines in a frame")
        lines = _lines(_command_line, frame)
        if len(lines) > limit:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "too many commands in a frame")
        return [_command(line) for line in lines]

    def decode_connect(self, frame: bytes) -> ConnectRequest:
        wire = _decoded(_connect_text, frame)
        return cast(ConnectRequest, SHAPES[ConnectRequest].from_wire(wire))

    def decode_answers(self, frame: bytes) -> list[Answer]:
        return [_answer(line) for line in _lines(_answer_line, frame)]

    def encode_command(self, command: Command) -> bytes:
        if command.request is None:
            return b'{"id":%d}' % command.id if command.id else self.pong
        end = b',"id":%d}' % command.id if command.id else b"}"
        return b"{" + _member(command.request) + end

    def encode_reply(self, reply: Reply) -> bytes:
        # What `_member` would give, sooner: nothing is answered as often, and nothing is as long.
        result = reply.result
        if type(result) is RPCResult and result.data:
            return _one_line(b'{"id":%d,"rpc":{"data":%b}}' % (reply.id, result.data))
        if type(result) is HistoryResult:
            return _one_line(b'{"id":%d,%b}' % (reply.id, _history(result)))
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
    return _KEYS[type(value)] + _one_line(_encode(SHAPES[type(value)].to_wire(value)))


def _history(result: HistoryResult) -> bytes:
    """What `_member` gives, but for line ends."""
    publications = [
        b'{"data":%b,"offset":%d}' % (each.data, each.offset)
        if each.data
        and each.offset
        and each.info is None
        and not (each.tags or each.delta or each.time)
        else _encode(SHAPES[Publication].to_wire(each))
        for each in result.publications
    ]
    return b'"history":{"publications":[%b],"epoch":%b,"offset":%d}' % (
        b",".join(publications),
        _encode(result.epoch),
        result.offset,
    )


def _one_line(text: bytes) -> bytes:
    """Valid JSON has line ends only between its tokens, where a space says the same."""
    if _LINE_FEED in text or _CARRIAGE_RETURN in text:
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
        return Command(line.id, RPCRequest(wire.method, payload_of(wire.data)))
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


def _line_of(name: str, shapes: Iterable[tuple[str, Shape]], *more: tuple[str, Any, Any]) -> Any:
    fields = [(each, shape.wire | None, None) for each, shape in shapes]
    return msgspec.defstruct(name, [*more, *fields], gc=False)


_REQUESTS: Final = [(name, shape_of(kind)) for name, kind in REQUESTS.items()]
_RESULTS: Final = [(name, shape_of(kind)) for name, kind in RESULTS.items()]
_EVENTS: Final = [(name, shape_of(kind)) for name, kind in EVENTS.items()]

_KEYS: Final = {
    shape.kind: b'"%b":' % name.encode() for name, shape in (*_REQUESTS, *_RESULTS, *_EVENTS)
}

_push_line = _line_of("Push", _EVENTS, ("channel", str, ""))
_command_line = msgspec.json.Decoder(_line_of("Command", _REQUESTS, ("id", Uint32, 0))).decode
_answer_line = msgspec.json.Decoder(
    _line_of("Reply", _RESULTS, ("id", Uint32, 0), ("push", _push_line | None, None))
).decode
_connect_text = msgspec.json.Decoder(SHAPES[ConnectRequest].wire).decode
