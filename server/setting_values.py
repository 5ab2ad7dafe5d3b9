"""From what a file or the environment says to the value of a setting."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`")


class Unfit(Exception):
    """A value cannot be what the setting holds; each rule it breaks is a sentence."""

    def __init__(self, *rules: str) -> None:
        super().__init__("; ".join(rules))
        self.rules = rules


def converted(value: object, kind: Any, *, is_text: bool) -> object:
    """The value as the type of its setting. Raises `Unfit`.

    In a text, lists are separated by commas and tables are JSON.
    """
    if is_text and _is_list(kind):
        value = [part.strip() for part in str(value).split(",") if part.strip()]
    elif is_text and _is_table(kind):
        try:
            value = msgspec.json.decode(str(value))
        except msgspec.DecodeError as error:
            raise Unfit(f"expected JSON: {error}") from None
        is_text = False
    if get_origin(kind) is dict and isinstance(value, dict):
        return _entries(value, get_args(kind)[1])
    if kind is Path and isinstance(value, str):
        return Path(value)
    try:
        return msgspec.convert(value, kind, strict=not is_text)
    except msgspec.ValidationError as error:
        raise Unfit(_rule(str(error), kind)) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that may be meant, if there is one."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def type_name(kind: Any) -> str:
    """A type in an operator's words."""
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if kind in names:
        return names[kind]
    if _is_list(kind):
        return "list of " + type_name(get_args(kind)[0])
    if _is_table(kind):
        return "table"
    return getattr(kind, "__name__", str(kind))


def _entries(table: dict[str, object], kind: Any) -> dict[str, object]:
    """The entries of a table of tables; complaints name the entry, and all come at once."""
    entries: dict[str, object] = {}
    rules: list[str] = []
    for name, value in table.items():
        try:
            entries[name] = converted(value, kind, is_text=False)
        except Unfit as unfit:
            rules += [f"in {name}: {rule}" for rule in unfit.rules]
    if rules:
        raise Unfit(*rules)
    return entries


def _rule(text: str, kind: Any) -> str:
    """What a conversion complains of, as a sentence that names the option."""
    unknown = _UNKNOWN.fullmatch(text)
    if unknown is not None:
        name = unknown[1]
        return f"{name} is unknown{nearest(name, getattr(kind, '__struct_fields__', ()))}"
    return text[:1].lower() + text[1:]


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple, set, frozenset)


def _is_table(kind: Any) -> bool:
    return get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))
