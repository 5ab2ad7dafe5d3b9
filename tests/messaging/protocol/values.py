"""Arbitrary values of the protocol, made from their own declarations."""

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from messaging.protocol.frames import Command, Push, Reply
from messaging.protocol.shapes import EVENTS, REQUESTS, RESULTS, Field, Form, fields_of
from messaging.protocol.values import Value

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
json_texts = st.builds(
    lambda value, ascii: json.dumps(value, ensure_ascii=ascii).encode(), json_values, st.booleans()
)
payloads = st.just(b"") | json_texts


def values(kind: type[Value]) -> st.SearchStrategy[Any]:
    """Arbitrary values of one kind."""
    types = {each.name: each.type for each in msgspec.structs.fields(kind)}
    return st.builds(
        kind, **{field.name: _held(field, types[field.name]) for field in fields_of(kind)}
    )


def _held(field: Field, declared: Any) -> st.SearchStrategy[Any]:
    # Filters hold filters; the innermost hold none.
    inner = st.deferred(lambda: values(field.kind)) if field.kind else st.nothing()
    match field.form:
        case Form.PAYLOAD:
            return payloads
        case Form.TEXTS:
            return st.lists(st.text(), max_size=3).map(tuple)
        case Form.NAMED_TEXTS:
            return st.dictionaries(st.text(), st.text(), max_size=3)
        case Form.ONE:
            return inner
        case Form.MAYBE:
            return st.none() | inner
        case Form.MANY:
            return st.just(()) | st.lists(inner, max_size=2).map(tuple)
        case Form.NAMED:
            return st.dictionaries(st.text(), inner, max_size=2)
    return _plain(declared)


def _plain(declared: Any) -> st.SearchStrategy[Any]:
    if declared is str:
        return st.text()
    if declared is bool:
        return st.booleans()
    bounds = declared.__metadata__[0]
    return st.just(0) | st.integers(bounds.ge, bounds.le)


def _any_of(kinds: Any) -> st.SearchStrategy[Any]:
    return st.one_of([values(kind) for kind in kinds.values()])


ids = st.integers(1, 2**32 - 1)
commands = st.builds(Command, id=ids, request=_any_of(REQUESTS))
replies = st.builds(Reply, id=ids, result=_any_of(RESULTS))
pushes = st.builds(Push, event=_any_of(EVENTS), channel=st.text())
