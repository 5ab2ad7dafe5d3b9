"""A template that is ready to be filled in: parsed once, whoever is told. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

import msgspec

from notifications.errors import TemplateInvalid, VariableMissing, VariableUnfit, VariableUnknown
from notifications.templates.locales import FALLBACK, locale_chain
from notifications.templates.patterns import Pattern, Place, Value, Values, values_of
from notifications.templates.scanning import NUMERIC, Use
from notifications.templates.sizes import BODY_BYTES, PAYLOAD_BYTES, TITLE_BYTES, fitted, shortened
from notifications.templates.types import Template
from notifications.types import Action, Content, Text

SPOKEN = frozenset({"title", "subtitle", "body", "ticker"})
"""Providers' fields that people read; in all others a variable stays as it is."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What travels with a text and does not depend on whom it is for.

    `more` are fields of the content that win over all others.
    """

    data: Mapping[str, str]
    link: str = ""
    thread: str = ""
    category: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    limit: int = PAYLOAD_BYTES


class Rendering:
    """The languages of a template, ready.

    Raises `TemplateInvalid` for a text that cannot be filled in, or when there is none.
    """

    def __init__(
        self,
        template: Template,
        *,
        name: str = "",
        version: int = 0,
        fallback: Sequence[str] = FALLBACK,
    ) -> None:
        if not template.texts:
            raise TemplateInvalid("The template has no text.", template=name)
        self.name = name
        self.version = version
        self.label = f"{name}@{version}" if version else name
        """What a notification says it was worded by."""
        self.variables = template.variables
        self._fallback = tuple(fallback)
        self._texts = {
            locale: Wording(merged(template, text), locale)
            for locale, text in template.texts.items()
        }
        self._nothing = {
            name: each.nothing for name, each in template.variables.items() if each.optional
        }
        self._nearest: dict[str, str] = {}

    @property
    def locales(self) -> Sequence[str]:
        """The languages that it is written in."""
        return tuple(self._texts)

    def check(self, variables: Mapping[str, Value], beside: Beside) -> None:
        """Render every language once. Raises what rendering for a device would raise.

        Also `VariableUnknown` for a variable that a template does not have; words without a
        template declare none.
        """
        for name in variables:
            if self.name and name not in self.variables:
                raise VariableUnknown(name, template=self.label)
        for locale in self._texts:
            self.content(locale, variables, beside)

    def content(self, locale: str, variables: Mapping[str, Value], beside: Beside) -> Content:
        """What a device of this locale shows, in the nearest language and within the limits.

        Raises `VariableMissing`, `VariableUnfit` or `PushTooLarge`.
        """
        nearest = self.nearest(locale)
        wording = self._texts[nearest]
        values = {**self._nothing, **values_of(variables)}
        for name, uses in wording.uses.items():
            if name not in values:
                raise VariableMissing(name, template=self.label, locale=nearest)
            is_text = isinstance(values[name], str)
            if is_text and uses & NUMERIC:
                raise VariableUnfit(name, "a number", template=self.label, locale=nearest)
            if not is_text and Use.SELECT in uses:
                raise VariableUnfit(name, "words", template=self.label, locale=nearest)
        content = wording.content(values, locale, beside)
        if beside.more:
            said = {each.name: getattr(content, each.name) for each in fields(content)}
            content = msgspec.convert({**said, **beside.more}, Content)
        return fitted(content, limit=beside.limit)

    def nearest(self, locale: str) -> str:
        """The language of those there are that suits a locale best; any rather than none."""
        found = self._nearest.get(locale)
        if found is None:
            chain = (each for each in locale_chain(locale, self._fallback) if each in self._texts)
            found = next(chain, min(self._texts))
            if len(self._nearest) < 1000:
                self._nearest[locale] = found
        return found


class Wording:
    """One language of a template, parsed."""

    def __init__(self, text: Text, language: str) -> None:
        self._patterns: list[Pattern] = []

        def parsed(message: str, place: Place) -> Pattern:
            pattern = Pattern(message, language, place)
            self._patterns.append(pattern)
            return pattern

        self._title = parsed(text.title, Place.WORDS)
        self._body = parsed(text.body, Place.WORDS)
        self._link = parsed(text.link, Place.LINK)
        self._image = parsed(text.image, Place.LINK)
        self._actions = [
            (each.id, parsed(each.title, Place.WORDS), parsed(each.link, Place.LINK))
            for each in text.actions
        ]
        self._apple, self._android, self._web = (
            cast(Mapping[str, Any], _parsed(own, Place.PLAIN, parsed))
            for own in (text.apple, text.android, text.web)
        )
        uses: dict[str, frozenset[Use]] = {}
        for pattern in self._patterns:
            for name, some in pattern.uses.items():
                uses[name] = uses.get(name, frozenset()) | some
        for name, all_of in uses.items():
            if Use.SELECT in all_of and all_of & NUMERIC:
                raise TemplateInvalid(f"{{{name}}} is used as a number and as words.")
        self.uses: Mapping[str, frozenset[Use]] = uses

    @property
    def patterns(self) -> Sequence[Pattern]:
        """All of its messages."""
        return self._patterns

    def content(self, values: Values, reader: str, beside: Beside) -> Content:
        """The words with these values, as a reader of this locale writes numbers."""
        return Content(
            title=shortened(self._title.filled(values, reader), TITLE_BYTES),
            body=shortened(self._body.filled(values, reader), BODY_BYTES),
            data=beside.data,
            link=beside.link or self._link.filled(values, reader),
            thread=beside.thread,
            category=beside.category,
            image=self._image.filled(values, reader),
            actions=tuple(
                Action(id, title.filled(values, reader), link.filled(values, reader))
                for id, title, link in self._actions
            ),
            apple=_filled(self._apple, values, reader),
            android=_filled(self._android, values, reader),
            web=_filled(self._web, values, reader),
        )


def merged(template: Template, text: Text) -> Text:
    """A language's text, with what it shares with the others."""
    return replace(
        text,
        link=text.link or template.link,
        image=text.image or template.image,
        apple=_joined(template.apple, text.apple),
        android=_joined(template.android, text.android),
        web=_joined(template.web, text.web),
    )


def _joined(shared: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Both, where `own` wins; fields within fields are joined as well."""
    joined = dict(shared)
    for name, value in own.items():
        both = isinstance(value, Mapping) and isinstance(joined.get(name), Mapping)
        joined[name] = _joined(joined[name], value) if both else value
    return joined


def _parsed(value: Any, place: Place, parsed: Callable[[str, Place], Pattern]) -> Any:
    """The same fields with a pattern in place of each text."""
    if isinstance(value, str):
        return parsed(value, place)
    if isinstance(value, Mapping):
        return {
            name: _parsed(each, Place.WORDS if name in SPOKEN else Place.PLAIN, parsed)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_parsed(each, place, parsed) for each in value]
    return value


def _filled(value: Any, values: Values, reader: str) -> Any:
    if not value and not isinstance(value, Pattern):
        return value
    if isinstance(value, Pattern):
        return value.filled(values, reader)
    if isinstance(value, dict):
        return {name: _filled(each, values, reader) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values, reader) for each in value]
    return value
