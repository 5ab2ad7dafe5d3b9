"""What templates need from the outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from kernel.paging import Page
from notifications.audit.types import Deed
from notifications.templates.types import Publication, Standing, Template, Version
from notifications.types import Content


@dataclass(frozen=True, slots=True)
class Live:
    """Which versions are in use since a revision; None where it is none any more."""

    revision: int
    versions: Mapping[str, Version | None]


class TemplateStore(Protocol):
    """Templates and their versions. Every method is one whole transaction."""

    async def add(
        self, name: str, template: Template, *, note: str, by: str, now: datetime, limit: int
    ) -> Version:
        """Write down the next version; the newest one, when it says the very same.

        Raises `TemplateFull` beyond `limit` versions.
        """
        ...

    async def get(self, name: str, number: int | None = None) -> Version | None:
        """A version; the newest one when none is named."""
        ...

    async def standing(self, name: str) -> tuple[Standing, Sequence[Publication]] | None:
        """How a template stands, and what was in use, the latest first."""
        ...

    async def all(self, *, cursor: str | None, limit: int) -> Page[Standing]:
        """Every stored template, by name."""
        ...

    async def publish(
        self, name: str, number: int, *, by: str, now: datetime, deed: Deed
    ) -> Standing | None:
        """Put a version to use everywhere, or with 0 none; None if there is none such.

        The deed is recorded with it. Publishing what is in use changes nothing.
        """
        ...

    async def live(self, *, after: int) -> Live:
        """What was put to use, or out of it, since a revision."""
        ...


@dataclass(frozen=True, slots=True)
class Load:
    """What a provider would be sent: its bytes, of how many, or why it would be refused."""

    provider: str
    size: int
    limit: int
    refused: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


class Rehearsal(Protocol):
    """Puts a content into every provider's words, and sends nothing."""

    def loads(self, content: Content) -> Sequence[Load]: ...
