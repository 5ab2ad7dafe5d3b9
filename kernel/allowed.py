"""What a type allows at a place of a body, for errors that say it. Pure.

msgspec tells the place and that a value is none of those allowed, but not which are.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from msgspec import inspect

_STEP = re.compile(r"\[(?P<item>\d+|\.\.\.)\]|\.?(?P<name>[^.\[]+)")


def values_allowed(of: Any, path: str, *, keys: bool = False) -> Sequence[str]:
    """The values that an enumeration, a `Literal` or the tag of a union may have at a place.

    `path` is as in msgspec's errors, without `$.`; `keys` looks at those of the mapping there.
    Empty where any value may stand, or there is no such place.
    """
    values: dict[str, None] = {}
    for kind in _at(of, path, keys=keys):
        match kind:
            case inspect.EnumType():
                values |= {str(each.value): None for each in kind.cls}
            case inspect.LiteralType():
                values |= {str(each): None for each in kind.values}
    return list(values)


def example_at(of: Any, path: str, *, keys: bool = False) -> str:
    """An example of what has to match a pattern there; "" without one."""
    for kind in _at(of, path, keys=keys):
        said = kind.extra_json_schema if isinstance(kind, inspect.Metadata) else None
        for example in (said or {}).get("examples", ()):
            return str(example)
    return ""


def _at(of: Any, path: str, *, keys: bool) -> Iterable[inspect.Type]:
    kinds = list(_flat(_shape(of)))
    for step in _STEP.finditer(path):
        name = step["name"]
        found = [
            inner
            for kind in kinds
            for inner in (_item(kind) if name is None else _field(kind, name))
        ]
        kinds = [each for inner in found for each in _flat(inner)]
    if keys:
        of_keys = [kind.key_type for kind in kinds if isinstance(kind, inspect.DictType)]
        return [each for key in of_keys for each in _flat(key)]
    return kinds


_shape = lru_cache(maxsize=256)(inspect.type_info)


def _flat(kind: inspect.Type) -> Iterator[inspect.Type]:
    """The type, and what it is a choice of or a remark upon."""
    yield kind
    if isinstance(kind, inspect.Metadata):
        yield from _flat(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _flat(each)


def _item(kind: inspect.Type) -> Iterator[inspect.Type]:
    match kind:
        case inspect.DictType():
            yield kind.value_type
        case inspect.CollectionType():
            yield kind.item_type
        case inspect.TupleType():
            yield from kind.item_types


def _field(kind: inspect.Type, name: str) -> Iterator[inspect.Type]:
    if not isinstance(kind, inspect.StructType):
        return
    if name == kind.tag_field:
        yield inspect.LiteralType((kind.tag,))
    for each in kind.fields:
        if each.encode_name == name:
            yield each.type
