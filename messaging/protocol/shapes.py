"""How values are made of one another, so that a codec can walk them without a list of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec

from messaging.protocol import events, requests, results
from messaging.protocol.values import Publication, Value


class Form(Enum):
    """What a field holds: something plain, a payload, texts, or other values."""

    PLAIN = "plain"
    PAYLOAD = "payload"
    TEXTS = "texts"
    NAMED_TEXTS = "named texts"
    ONE = "one"
    MAYBE = "maybe"
    MANY = "many"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a value; `kind` is what the values in it are, if there are any.

    `zero` makes what an absent field means.
    """

    name: str
    form: Form
    required: bool
    zero: Callable[[], Any]
    kind: type[Value] | None = None


def fields_of(kind: type[Value]) -> list[Field]:
    """The fields of a value, in order."""
    hints = get_type_hints(kind)
    return [
        _field(each.name, hints[each.name], required=each.required)
        for each in msgspec.structs.fields(kind)
    ]


def _field(name: str, hint: Any, *, required: bool) -> Field:
    """The field that an annotation describes."""
    of = get_args(hint)
    match get_origin(hint):
        case None if hint is bytes:
            return Field(name, Form.PAYLOAD, required, bytes)
        case None if issubclass(hint, Value):
            return Field(name, Form.ONE, required, _zero_of(hint), hint)
        case origin if origin is UnionType:
            return Field(name, Form.MAYBE, required, type(None), of[0])
        case origin if origin is tuple and of[0] is str:
            return Field(name, Form.TEXTS, required, tuple)
        case origin if origin is tuple:
            return Field(name, Form.MANY, required, tuple, of[0])
        case origin if origin is dict and of[1] is str:
            return Field(name, Form.NAMED_TEXTS, required, dict)
        case origin if origin is dict:
            return Field(name, Form.NAMED, required, dict, of[1])
        case _:
            return Field(name, Form.PLAIN, required, hint)


def _zero_of(kind: type[Value]) -> Callable[[], Value]:
    needed = {field.name: field.zero for field in fields_of(kind) if field.required}
    return lambda: kind(**{name: zero() for name, zero in needed.items()})


REQUESTS: Final[Mapping[str, type[Value]]] = {
    "connect": requests.ConnectRequest,
    "subscribe": requests.SubscribeRequest,
    "unsubscribe": requests.UnsubscribeRequest,
    "publish": requests.PublishRequest,
    "presence": requests.PresenceRequest,
    "presence_stats": requests.PresenceStatsRequest,
    "history": requests.HistoryRequest,
    "ping": requests.PingRequest,
    "send": requests.SendRequest,
    "rpc": requests.RPCRequest,
    "refresh": requests.RefreshRequest,
    "sub_refresh": requests.SubRefreshRequest,
}
"""What may stand in a command, by its field. When there are several, the first one counts."""

RESULTS: Final[Mapping[str, type[Value]]] = {
    "error": results.Error,
    "connect": results.ConnectResult,
    "subscribe": results.SubscribeResult,
    "unsubscribe": results.UnsubscribeResult,
    "publish": results.PublishResult,
    "presence": results.PresenceResult,
    "presence_stats": results.PresenceStatsResult,
    "history": results.HistoryResult,
    "ping": results.PingResult,
    "rpc": results.RPCResult,
    "refresh": results.RefreshResult,
    "sub_refresh": results.SubRefreshResult,
}
"""What may stand in a reply."""

EVENTS: Final[Mapping[str, type[Value]]] = {
    "pub": Publication,
    "join": events.Join,
    "leave": events.Leave,
    "unsubscribe": events.Unsubscribe,
    "message": events.Message,
    "subscribe": events.Subscribe,
    "connect": events.Connect,
    "disconnect": events.Disconnect,
    "refresh": events.Refresh,
}
"""What may stand in a push."""
