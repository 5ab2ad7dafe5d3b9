"""The templates in use, parsed and at hand: what is told to users is worded from here."""

from collections.abc import Mapping
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.notices import Notice
from kernel.options import option
from notifications.errors import TemplateNotFound
from notifications.templates.builtin import BUILT_IN, OF_MANY, variants
from notifications.templates.locales import FALLBACK
from notifications.templates.patterns import Value
from notifications.templates.ports import TemplateStore
from notifications.templates.rendering import Rendering
from notifications.templates.types import Template, Version
from notifications.types import Text

KEPT = 1000
"""Versions that are not in use any more and still at hand: what was sent by them waits to go."""


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """How templates are chosen and kept."""

    fallback: tuple[str, ...] = option(
        FALLBACK, "Languages for whom a template does not speak to in their own, best first."
    )
    refresh_seconds: float = option(
        1.0, "How old a node's knowledge of which versions are in use may be."
    )
    versions: int = option(1000, "Versions of one template, at most.")

    def __post_init__(self) -> None:
        if self.refresh_seconds < 0:
            raise ValueError("refresh_seconds must not be negative")
        if self.versions < 1:
            raise ValueError("versions must be at least 1")


class Shelf:
    """Finds the rendering of a template; a stored one in use replaces the one of the house.

    What another node published is known here after `refresh_seconds` at the latest.
    """

    def __init__(self, *, store: TemplateStore, clock: Clock, options: TemplateOptions) -> None:
        self._store = store
        self._clock = clock
        self._options = options
        self._revision = 0
        self._fresh_until = 0.0
        self._live: dict[str, Rendering] = {}
        self._versions: dict[tuple[str, int], Rendering] = {}
        self._built_in: Mapping[str, Rendering] = {
            name: Rendering(template, name=name, fallback=options.fallback)
            for name, template in BUILT_IN.items()
        }

    async def of(self, notice: Notice) -> Rendering:
        """What words a notice: texts of its own, or a template."""
        if notice.texts:
            texts = {locale: Text(*words) for locale, words in notice.texts.items()}
            return Rendering(Template(texts=texts), fallback=self._options.fallback)
        return await self.rendering(notice.template, notice.variables, version=notice.version)

    async def rendering(
        self, name: str, variables: Mapping[str, Value], *, version: int = 0
    ) -> Rendering:
        """The version that is asked for, or else the one in use. Raises `TemplateNotFound`."""
        if version:
            return await self._of_version(name, version)
        if self._clock.monotonic() >= self._fresh_until:
            await self.refresh()
        for wanted in variants(name, variables):
            found = self._live.get(wanted) or self._built_in.get(wanted)
            if found is not None:
                return found
        raise TemplateNotFound(f"No template {name!r} is in use.", template=name)

    async def of_many(self, notice: Notice) -> Rendering | None:
        """What words a notice that stands for several, if there is anything for that."""
        if not notice.coalesces:
            return None
        one = await self.of(notice)
        try:
            return await self.rendering(f"{one.name}{OF_MANY}", {})
        except TemplateNotFound:
            return None

    async def refresh(self) -> None:
        """Learn what was published since the last time."""
        # From before the question: what is published while it is answered is asked for next time.
        fresh_until = self._clock.monotonic() + self._options.refresh_seconds
        live = await self._store.live(after=self._revision)
        for name, version in live.versions.items():
            if version is None:
                self._live.pop(name, None)
            else:
                self._live[name] = self.prepared(version)
        self._revision = live.revision
        self._fresh_until = fresh_until

    def prepared(self, version: Version) -> Rendering:
        """A version, ready to be filled in. Raises `TemplateInvalid`."""
        return Rendering(
            version.template,
            name=version.name,
            version=version.number,
            fallback=self._options.fallback,
        )

    async def _of_version(self, name: str, number: int) -> Rendering:
        found = self._versions.get((name, number))
        if found is None:
            version = await self._store.get(name, number)
            if version is None:
                raise TemplateNotFound(
                    f"The template {name!r} has no version {number}.", template=name
                )
            if len(self._versions) >= KEPT:
                del self._versions[next(iter(self._versions))]
            found = self._versions[name, number] = self.prepared(version)
        return found
