"""A template that is ready to be filled in: parsed once, whoever is told. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec

from notifications.errors import TemplateInvalid, VariableMissing, VariableUnfit, VariableUnknown
from notifications.templates.locales import FALLBACK, locale_chain
from notifications.templates.messages import merged, messages_of
from notifications.templates.patterns import Pattern, Place, Value, Values, values_of
from notifications.templates.scanning import NUMERIC, Use
from notifications.templates.sizes import BODY_BYTES, PAYLOAD_BYTES, TITLE_BYTES, fitted, shortened
from notifications.templates.types import Template
from notifications.types import Action, Content, Text


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
        self.template = template
        self._fallback = tuple(fallback)
        self._texts = {
            locale: Wording(merged(template, text), locale)
            for locale, text in template.texts.items()
        }
        self.nothing: Mapping[str, Value] = {
            name: each.nothing for name, each in template.variables.items() if each.optional
        }
        """What stands for optional variables that are not given."""
        self._nearest: dict[str, str] = {}

    @property
    def locales(self) -> Sequence[str]:
        """The languages that it is written in."""
        return tuple(self._texts)

    def check(self, variables: Mapping[str, Value], beside: Beside) -> None:
        """Render every language once. Raises what rendering for a device would raise."""
        self.known(variables)
        for locale in self._texts:
            self.content(locale, variables, beside)

    def known(self, variables: Iterable[str]) -> None:
        """Raises `VariableUnknown` for one that the template does not have.

        Words without a template declare none, and may be given any.
        """
        for name in variables:
            if self.name and name not in self.template.variables:
                raise VariableUnknown(name, template=self.label)

    def content(self, locale: str, variables: Mapping[str, Value], beside: Beside) -> Content:
        """What a device of this locale shows, in the nearest language and within the limits.

        Raises `VariableMissing`, `VariableUnfit`, `TemplateInvalid` for one that says nothing,
        or `PushTooLarge`.
        """
        nearest = self.nearest(locale)
        values = self._values(nearest, variables)
        content = self._texts[nearest].content(values, locale, beside)
        if beside.more:
            said = {each.name: getattr(content, each.name) for each in fields(content)}
            content = msgspec.convert({**said, **beside.more}, Content)
        return fitted(content, limit=beside.limit)

    def words(self, locale: str, variables: Mapping[str, Value]) -> tuple[str, str]:
        """Title and body at full length. Raises as `content` does."""
        nearest = self.nearest(locale)
        return self._texts[nearest].words(self._values(nearest, variables), locale)

    def _values(self, nearest: str, variables: Mapping[str, Value]) -> Values:
        """What the text in this language is filled with."""
        values = {**self.nothing, **values_of(variables)}
        wording = self._texts[nearest]
        for name, uses in wording.uses.items():
            if name not in values:
                raise VariableMissing(name, template=self.label, locale=nearest)
            is_text = isinstance(values[name], str)
            if is_text and uses & NUMERIC:
                raise VariableUnfit(name, "a number", template=self.label, locale=nearest)
            if not is_text and Use.SELECT in uses:
                raise VariableUnfit(name, "words", template=self.label, locale=nearest)
        return values

    def whole_texts(self) -> dict[str, Text]:
        """Each language's text with all it shares with the others: what a campaign keeps."""
        return {locale: merged(self.template, text) for locale, text in self.template.texts.items()}

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
        uses: dict[str, frozenset[Use]] = {}

        def parsed(_field: str, message: str, place: Place) -> Pattern:
            pattern = Pattern(message, language, place)
            for name, some in pattern.uses.items():
                uses[name] = uses.get(name, frozenset()) | some
            return pattern

        self._messages = messages_of(text, parsed)
        for name, all_of in uses.items():
            if Use.SELECT in all_of and all_of & NUMERIC:
                raise TemplateInvalid(f"{{{name}}} is used as a number and as words.")
        self.uses: Mapping[str, frozenset[Use]] = uses

    def words(self, values: Values, reader: str) -> tuple[str, str]:
        """Title and body at full length."""
        messages = self._messages
        return messages.title.filled(values, reader), messages.body.filled(values, reader)

    def content(self, values: Values, reader: str, beside: Beside) -> Content:
        """The words with these values, as a reader of this locale writes numbers."""
        messages = self._messages
        title, body = self.words(values, reader)
        return Content(
            title=shortened(title, TITLE_BYTES),
            body=shortened(body, BODY_BYTES),
            data=beside.data,
            link=beside.link or messages.link.filled(values, reader),
            thread=beside.thread,
            category=beside.category,
            image=messages.image.filled(values, reader),
            actions=tuple(
                Action(id, title.filled(values, reader), link.filled(values, reader))
                for id, title, link in messages.actions
            ),
            apple=_filled(messages.apple, values, reader),
            android=_filled(messages.android, values, reader),
            web=_filled(messages.web, values, reader),
        )


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
