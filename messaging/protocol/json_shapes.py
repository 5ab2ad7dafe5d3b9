"""Between values and what msgspec reads and writes as JSON.

A payload is bytes to us, but msgspec embeds only what is `Raw`, and writes bytes in base 64. So
each kind of value that holds a payload, at any depth, has a twin for the wire.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from messaging.protocol.shapes import Field, Form, fields_of
from messaging.protocol.values import Value


class _Turn(NamedTuple):
    """How one field differs in the twin."""

    type: Any
    outward: Callable[[Any], Any]
    inward: Callable[[Any], Any]


class Shape:
    """A kind of value, its twin (or itself, without payloads), and the way between the two."""

    def __init__(self, kind: type[Value]) -> None:
        self.kind = kind
        self.wire: type[msgspec.Struct] = kind
        # Known before its fields are: a filter holds filters.
        SHAPES[kind] = self
        turns = {field.name: turn for field in fields_of(kind) if (turn := _turn(field))}
        declared = msgspec.structs.fields(kind)
        self._turns = [
            (at, turns[each.name]) for at, each in enumerate(declared) if each.name in turns
        ]
        self._turned = _all_of([*turns])
        self._may_be_absent = all(not each.required for each in declared if each.name in turns)
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
        if self._may_be_absent and not any(self._turned(value)):
            # What is absent is written by neither.
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


def _all_of(names: Sequence[str]) -> Callable[[Value], Iterable[Any]]:
    """What these fields of a value hold, faster than in a loop."""
    return attrgetter(*names, names[0]) if names else lambda _: ()


SHAPES: Final[dict[type[Value], Shape]] = {}
"""What `shape_of` was asked for so far."""


def shape_of(kind: type[Value]) -> Shape:
    """The one shape of a kind."""
    return SHAPES.get(kind) or Shape(kind)


def _turn(field: Field) -> _Turn | None:
    if field.form is Form.PAYLOAD:
        return _Turn(
            Raw | UnsetType,
            lambda payload: Raw(payload) if payload else UNSET,
            payload_of,
        )
    if field.kind is None:
        return None
    shape = shape_of(field.kind)
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


def payload_of(raw: Any) -> bytes:
    """A payload as it came; absent, it is empty."""
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
