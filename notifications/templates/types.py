"""Values of templates: what a version says, and which version is in use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from notifications.types import Text


class VariableKind(StrEnum):
    """What a variable holds."""

    TEXT = "text"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Variable:
    """What a template's variable holds; `example` is shown in previews.

    One that is optional may be left out, and is then empty, or 0.
    """

    kind: VariableKind = VariableKind.TEXT
    example: str | int | float = ""
    optional: bool = False

    @property
    def nothing(self) -> str | int:
        """What stands for it when it was not given."""
        return "" if self.kind is VariableKind.TEXT else 0

    def fits(self, value: str | int | float) -> bool:
        """Whether it may hold this. A number can stand where a text can."""
        return self.kind is VariableKind.TEXT or not isinstance(value, str)


@dataclass(frozen=True, slots=True)
class Template:
    """What a notification says in each language, and what all languages share.

    A text's own link, image and providers' fields win over the shared ones.
    """

    texts: Mapping[str, Text]
    variables: Mapping[str, Variable] = field(default_factory=dict)
    link: str = ""
    image: str = ""
    apple: Mapping[str, Any] = field(default_factory=dict)
    android: Mapping[str, Any] = field(default_factory=dict)
    web: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """What a template said when it was written down. It never changes; a change is the next."""

    name: str
    number: int
    template: Template
    note: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Publication:
    """From `published_at` on, `version` was in use; 0 is none, or the one that came with Zaffa."""

    version: int
    published_at: datetime
    published_by: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A stored template: its newest version, and the one in use, 0 if none of them is."""

    name: str
    newest: int
    live: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a template, and where: a language, a field, a variable.

    `fatal` ones keep it from being published; others are worth a look.
    """

    code: str
    message: str
    locale: str = ""
    field: str = ""
    variable: str = ""
    fatal: bool = True
