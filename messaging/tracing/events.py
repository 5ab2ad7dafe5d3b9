"""What a trace shows: one thing that happened, with everything secret taken out."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from messaging.protocol.codec import Codec
from messaging.protocol.codes import ProtocolViolation
from messaging.protocol.frames import Ping, Push, Reply
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF

SHOWN_BYTES = 4096
"""Larger data is not shown, only how large it is."""

COMMANDS = 512

_SECRET = re.compile(
    r"token|secret|password|authorization|cookie|session|credential|api_?key", re.I
)
_REDACTED = "[redacted]"


class EventKind(StrEnum):
    """What happened."""

    CONNECTED = "connected"
    COMMAND = "command"
    ANSWER = "answer"
    PUSH = "push"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    CLOSED = "closed"
    LEFT = "left"
    PUBLICATION = "publication"
    JOIN = "join"
    LEAVE = "leave"
    GAP = "gap"
    DROPPED = "dropped"
    ENDED = "ended"


class TraceEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened at a node.

    `command` came from a client; `answer` is a reply or push for it alone, `push` what a channel
    has for all its subscribers; `closed` is our doing, `left` means that the connection is over.
    `publication`, `join` and `leave` went through the channel, `gap` says that some may be
    missing. `dropped` counts events beyond what a trace may show a second.
    """

    at: datetime
    node: str
    kind: EventKind
    user_id: str = ""
    client: str = ""
    channel: str = ""
    offset: int = 0
    code: int = 0
    reason: str = ""
    count: int = 0
    size: int = 0
    """Bytes of `data` when it is too large to be shown."""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def shown(data: Any) -> dict[str, Any]:
    """A JSON value as the fields of an event, without secrets; of a large one only its size."""
    text = msgspec.json.encode(_redacted(data))
    if len(text) > SHOWN_BYTES:
        return {"size": len(text)}
    return {"data": msgspec.Raw(text)}


def shown_text(text: bytes) -> dict[str, Any]:
    """The same for JSON as text."""
    if len(text) > SHOWN_BYTES:
        return {"size": len(text)}
    [value] = _lines(text.replace(b"\n", b" ")) or [None]
    return shown(value)


def commands_in(codec: Codec, frame: bytes) -> list[Any]:
    """The commands of a frame as JSON values; of one that cannot be read, what is wrong."""
    if not codec.binary:
        return _lines(frame)
    try:
        commands = PROTOBUF.decode_commands(frame, limit=COMMANDS)
    except ProtocolViolation as violation:
        return [{"unreadable": violation.reason}]
    return [value for each in commands for value in _lines(JSON.encode_command(each))]


def answers_in(codec: Codec, encoded: bytes) -> list[Any]:
    """Replies and pushes as JSON values."""
    if not codec.binary:
        return _lines(encoded)
    try:
        answers = PROTOBUF.decode_answers(encoded)
    except ProtocolViolation:
        # Whoever only listens is sent pushes alone, not wrapped in replies.
        return [{"unreadable": f"{len(encoded)} bytes"}]
    return [value for each in answers for value in _lines(_in_json(each))]


def _in_json(answer: Reply | Push | Ping) -> bytes:
    if isinstance(answer, Reply):
        return JSON.encode_reply(answer)
    return JSON.encode_push(answer) if isinstance(answer, Push) else JSON.ping


def _lines(text: bytes) -> list[Any]:
    values: list[Any] = []
    for line in text.split(b"\n")[:COMMANDS]:
        if line.strip():
            try:
                values.append(msgspec.json.decode(line))
            except (msgspec.DecodeError, ValueError, RecursionError):
                values.append({"unreadable": line[:200].decode(errors="replace")})
    return values


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _REDACTED if each and _SECRET.search(name) else _redacted(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_redacted(each) for each in value]
    return value
