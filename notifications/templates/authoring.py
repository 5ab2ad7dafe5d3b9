"""Templates: write down, look at, put to use, take back."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.paging import Page
from notifications.audit.types import actor_of, deed_of
from notifications.devices import canonical_locale
from notifications.errors import TemplateInvalid, TemplateNotFound
from notifications.templates.builtin import BUILT_IN
from notifications.templates.checks import examples_of, problems_of
from notifications.templates.patterns import Value
from notifications.templates.ports import Rehearsal, TemplateStore
from notifications.templates.preview import Preview, previews_of
from notifications.templates.rendering import Rendering
from notifications.templates.scanning import VARIABLE
from notifications.templates.shelf import Shelf, TemplateOptions
from notifications.templates.types import Problem, Publication, Standing, Template, Version

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_ACTION = re.compile(r"[A-Za-z0-9_.-]{1,64}")

PREVIEWED = ("ar-DZ", "fr-DZ", "en")
"""Readers for whom a template is shown when nobody says."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A version, what is wrong with it, and how the template stands.

    The built-in ones have no standing until something is written in their place.
    """

    version: Version
    problems: Sequence[Problem]
    standing: Standing | None
    publications: Sequence[Publication] = ()


class Templates:
    """What servers and operators may do with templates."""

    def __init__(
        self,
        *,
        store: TemplateStore,
        shelf: Shelf,
        rehearsal: Rehearsal,
        clock: Clock,
        options: TemplateOptions,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._rehearsal = rehearsal
        self._clock = clock
        self._options = options

    async def put(
        self, principal: Principal, name: str, template: Template, *, note: str = ""
    ) -> Looked:
        """Write down the next version, which nobody gets yet; what is wrong comes with it."""
        principal.require(Scope.TEMPLATES)
        if name not in BUILT_IN and not _NAME.fullmatch(name):
            raise InvalidInput("name", "must be a-z, then up to 63 of a-z, 0-9, dot, dash and _")
        version = await self._store.add(
            name,
            _canonical(template),
            note=note,
            by=actor_of(principal),
            now=self._clock.now(),
            limit=self._options.versions,
        )
        return await self._looked(version)

    async def show(self, principal: Principal, name: str, number: int | None = None) -> Looked:
        """A version, by default the newest; a built-in template is version 0."""
        principal.require(Scope.TEMPLATES)
        return await self._looked(await self._version(name, number))

    async def all(self, principal: Principal, *, cursor: str | None, limit: int) -> Page[Standing]:
        """The stored templates, by name."""
        principal.require(Scope.TEMPLATES)
        return await self._store.all(cursor=cursor, limit=limit)

    async def publish(self, principal: Principal, name: str, number: int | None = None) -> Standing:
        """Word everything by a version from now on, by default the newest.

        Raises `TemplateInvalid` with all problems unless it can be sent whenever its
        variables are given.
        """
        principal.require(Scope.TEMPLATES)
        version = await self._version(name, number)
        if version.number == 0:
            raise TemplateNotFound(f"Nothing is written in place of {name!r}.", template=name)
        fatal = [each for each in self._problems(version) if each.fatal]
        if fatal:
            raise TemplateInvalid(
                fatal[0].message,
                template=name,
                locale=fatal[0].locale,
                variable=fatal[0].variable,
                problems=[
                    {"message": each.message, "locale": each.locale, "variable": each.variable}
                    for each in fatal
                ],
            )
        return await self._put_to_use(principal, name, version.number)

    async def roll_back(self, principal: Principal, name: str) -> Standing:
        """Word everything by the version that was in use before the one that is now."""
        principal.require(Scope.TEMPLATES)
        found = await self._store.standing(name)
        if found is None or not found[1]:
            raise TemplateNotFound(f"No version of {name!r} was ever in use.", template=name)
        _, publications = found
        before = publications[1].version if len(publications) > 1 else 0
        return await self._put_to_use(principal, name, before)

    async def withdraw(self, principal: Principal, name: str) -> Standing:
        """Word nothing by it any more; a built-in template of the same name is back."""
        principal.require(Scope.TEMPLATES)
        return await self._put_to_use(principal, name, 0)

    def previews(
        self,
        principal: Principal,
        looked: Looked,
        *,
        variables: Mapping[str, Value],
        locales: Sequence[str] = (),
    ) -> Sequence[Preview]:
        """What it shows to readers, with examples where no variable is given.

        None while it has a fatal problem.
        """
        principal.require(Scope.TEMPLATES)
        if any(each.fatal for each in looked.problems):
            return ()
        rendering = self._shelf.prepared(looked.version)
        rendering.known(variables)
        given = {**examples_of(looked.version.template), **variables}
        readers = [canonical_locale(each) for each in locales] or _readers(rendering)
        return previews_of(rendering, given, readers, rehearsal=self._rehearsal)

    def look(self, principal: Principal, template: Template) -> Looked:
        """What is wrong with a template that is not written down."""
        principal.require(Scope.TEMPLATES)
        by, now = actor_of(principal), self._clock.now()
        version = Version("preview", 0, _canonical(template), "", now, by)
        return Looked(version, self._problems(version), None)

    async def words(
        self, principal: Principal, name: str, variables: Mapping[str, Value], locale: str
    ) -> Preview:
        """What a user's own device would be told, for what it shows by itself.

        Only of templates that came with Zaffa, whoever words them now.
        """
        _ = principal.user
        if name not in BUILT_IN:
            raise TemplateNotFound(f"There is no template {name!r}.", template=name)
        rendering = await self._shelf.rendering(name, variables)
        wanted = canonical_locale(locale)
        (preview,) = previews_of(rendering, variables, [wanted], rehearsal=self._rehearsal)
        return preview

    async def _version(self, name: str, number: int | None) -> Version:
        found = None if number == 0 else await self._store.get(name, number)
        if found is not None:
            return found
        if name in BUILT_IN and not number:
            return Version(name, 0, BUILT_IN[name], "", self._clock.now(), "zaffa")
        what = f"version {number} of the template" if number else "template"
        raise TemplateNotFound(f"There is no {what} {name!r}.", template=name)

    async def _looked(self, version: Version) -> Looked:
        found = await self._store.standing(version.name)
        standing, publications = found or (None, ())
        return Looked(version, self._problems(version), standing, publications)

    def _problems(self, version: Version) -> Sequence[Problem]:
        return problems_of(
            version.name,
            version.template,
            rehearsal=self._rehearsal,
            fallback=self._options.fallback,
        )

    async def _put_to_use(self, principal: Principal, name: str, number: int) -> Standing:
        deed = deed_of(principal, "template.published", f"template:{name}", version=number)
        standing = await self._store.publish(
            name, number, by=actor_of(principal), now=self._clock.now(), deed=deed
        )
        if standing is None:
            raise TemplateNotFound(f"There is no template {name!r}.", template=name)
        await self._shelf.refresh()
        log.info("template published", extra={"template": name, "version": standing.live})
        return standing


def _readers(rendering: Rendering) -> Sequence[str]:
    """One reader for each language of a template, of the usual ones first."""
    readers = [each for each in PREVIEWED if rendering.nearest(each) in each]
    told = {rendering.nearest(each) for each in readers}
    return [*readers, *(each for each in rendering.locales if each not in told)]


def _canonical(template: Template) -> Template:
    """The same with languages as BCP 47 writes them. Raises `InvalidInput` for odd names."""
    for name in template.variables:
        if not VARIABLE.fullmatch(name):
            raise InvalidInput(f"variables.{name}", "must be letters, digits and underscores")
    texts = {}
    for locale, text in template.texts.items():
        wanted = canonical_locale(locale)
        if wanted in texts:
            raise InvalidInput("texts", f"has two texts in {wanted}")
        for action in text.actions:
            if not _ACTION.fullmatch(action.id):
                raise InvalidInput("actions", "have ids of letters, digits, dots, dashes and _")
        texts[wanted] = text
    return replace(template, texts=texts)
