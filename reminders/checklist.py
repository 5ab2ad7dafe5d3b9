"""Checklists by the type of an event, in Arabic, French and English. Pure but for reading them."""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from reminders.days import MAIN
from reminders.types import Priority
from reminders.wording import language_of


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A task of a checklist: so many days after its anchor (negative: before), and not before
    the day `opens`."""

    key: str
    days: int
    ar: str
    fr: str
    en: str
    anchor: str = MAIN
    opens: int | None = None
    priority: Priority = Priority.NORMAL

    def title(self, locale: str) -> str:
        """What the task is called."""
        found: str = getattr(self, language_of(locale))
        return found


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of such an event, and where it usually lies."""

    days: int
    ar: str
    fr: str
    en: str


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """What an event of a type needs, what is due first first."""

    type: str
    title: dict[str, str]
    tasks: tuple[Item, ...]
    anchors: dict[str, Part] = {}

    @property
    def span(self) -> int:
        """How many days the whole plan takes."""
        return max(-self.day_of(each) for each in self.tasks)

    def day_of(self, item: Item) -> int:
        """Where the item usually lies from the event's own day."""
        return item.days + (self.anchors[item.anchor].days if item.anchor != MAIN else 0)


def checklist_types() -> Sequence[str]:
    """The types of events that there is a checklist for."""
    names = (file.name for file in resources.files("reminders.checklists").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


@cache
def checklist(type_name: str) -> Checklist:
    """The checklist of a type. Raises `LookupError` if there is none."""
    if type_name not in checklist_types():
        raise LookupError(type_name)
    text = resources.files("reminders.checklists").joinpath(f"{type_name}.toml").read_text("utf-8")
    read: dict[str, Any] = {"type": type_name, **tomllib.loads(text)}
    found = msgspec.convert(read, Checklist)
    ordered = sorted(found.tasks, key=found.day_of)
    return msgspec.structs.replace(found, tasks=tuple(ordered))
