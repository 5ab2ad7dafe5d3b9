"""Options: values that operators may set, each declared beside the code it governs."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """One declared option, as `server/settings.py` and the generated documentation see it."""

    name: str
    type: Any
    default: Any
    reason: str
    secret: bool


def option(default: T, reason: str, *, secret: bool = False) -> T:
    """A dataclass field that operators may set; `reason` tells them why they would.

    A secret's value is never printed, logged or documented.
    """
    metadata = {"reason": reason, "secret": secret}
    if isinstance(default, list | dict | set):
        kept = default
        made = field(default_factory=lambda: kept.copy(), metadata=metadata, repr=not secret)
        return cast(T, made)
    return field(default=default, metadata=metadata, repr=not secret)


def declared(options: type) -> Iterator[Option]:
    """The options that a dataclass declares, in the order of its fields."""
    for each in fields(options):
        default = each.default_factory() if callable(each.default_factory) else each.default
        yield Option(
            name=each.name,
            type=each.type,
            default=default,
            reason=each.metadata["reason"],
            secret=each.metadata["secret"],
        )
