"""One message in ICU's MessageFormat, parsed once and filled in many times. Pure.

ICU itself does both, with CLDR's plural rules and ways to write numbers. What it shows an
Algerian is not what it shows an Egyptian, so a message is kept ready for each reader's locale.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote

from icu4py.messageformat import MessageFormat

from notifications.errors import TemplateInvalid
from notifications.templates.scanning import FSI, PDI, Forms, Use, scan

Value = str | int | float
"""What a variable may hold."""

Values = dict[str, str | int | float | Decimal | date | datetime]
"""Variables as ICU takes them; of its types we use the first three."""

READERS = 64
"""Locales for which one message is kept ready; who comes later shares the text's own."""

# Marks that embed, override or isolate: one without its partner would turn the whole text.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_TURNING = re.compile("[\u202a-\u202e\u2066\u2067]")
_ISOLATED = re.compile(f"{FSI}[^{FSI}{PDI}\n]*{PDI}")

_SENTENCES = {
    "U_UNMATCHED_BRACES": "A brace has no partner.",
    "U_DEFAULT_KEYWORD_MISSING": "A plural, selectordinal or select needs the form 'other'.",
    "U_PATTERN_SYNTAX_ERROR": "A variable is written {name}, or {name, plural, other {…}}.",
    "U_ILLEGAL_ARGUMENT_ERROR": "A variable's type is none that can be used.",
}


class Place(StrEnum):
    """Where a message stands, and with it how variables are written into it."""

    WORDS = "words"
    """For people: isolated, and numbers as their language writes them."""
    LINK = "link"
    """In an address: percent-encoded, unless the variable is the whole address."""
    PLAIN = "plain"
    """For programs: as they are."""


class Pattern:
    """A message. Raises `TemplateInvalid` unless ICU takes it and a push can carry it."""

    __slots__ = ("_alone", "_constant", "_formats", "_language", "_place", "_text", "forms", "uses")

    def __init__(self, text: str, language: str, place: Place = Place.WORDS) -> None:
        _parsed(text, language)
        found = scan(text)
        self.uses: Mapping[str, frozenset[Use]] = {
            name: frozenset(uses) for name, uses in found.uses.items()
        }
        self.forms: Sequence[Forms] = tuple(found.forms)
        if place is not Place.WORDS:
            for name, uses in self.uses.items():
                if uses - {Use.TEXT, Use.SELECT}:
                    raise TemplateInvalid(f"{{{name}}} stands where no number is written in words.")
        self._place = place
        self._language = language
        self._alone = found.alone
        self._text = found.isolated if place is Place.WORDS else text
        formatted = _parsed(self._text, language)
        self._formats = {language: formatted}
        self._constant = None if self.uses else formatted.format({})

    def filled(self, values: Values, reader: str) -> str:
        """The message with these values, which must be all that it takes, each of its kind."""
        if self._constant is not None:
            return self._constant
        if self._place is Place.WORDS:
            return self._formatted(reader).format(values)
        plain: Values = {name: _BIDI.sub("", str(values[name])) for name in self.uses}
        if self._alone:
            return str(plain[self._alone])
        if self._place is Place.LINK:
            plain = {
                name: quote(str(value), safe="") if Use.TEXT in self.uses[name] else value
                for name, value in plain.items()
            }
        return self._formats[self._language].format(plain)

    def _formatted(self, reader: str) -> MessageFormat:
        found = self._formats.get(reader)
        if found is None:
            # A reader of `ar-DZ` reads what is written in `ar`, with numbers as in Algeria.
            theirs = reader.startswith(f"{self._language}-")
            if not theirs or len(self._formats) >= READERS:
                return self._formats[self._language]
            found = self._formats[reader] = _parsed(self._text, reader)
        return found


def values_of(variables: Mapping[str, Value]) -> Values:
    """Variables as messages take them: without marks that could escape from an isolate."""
    return {
        name: _contained(value) if isinstance(value, str) else value
        for name, value in variables.items()
    }


def _contained(text: str) -> str:
    """The text with isolates only where each has its partner in the same line.

    Those keep the words of several people apart in one variable, such as a list of tasks.
    """
    if _BIDI.search(text) is None:
        return text
    turning = _TURNING.sub("", text)
    is_whole = _BIDI.search(_ISOLATED.sub("", turning)) is None
    return turning if is_whole else _BIDI.sub("", text)


FORMS = ("zero", "one", "two", "few", "many", "other")
"""CLDR's names of plural forms."""


@lru_cache(maxsize=1024)
def forms_of(locale: str, use: Use) -> frozenset[str]:
    """The plural forms that whole numbers have in a language, by CLDR: six in Arabic."""
    # ICU tells a number's form by choosing it. Among these are numbers of every form that
    # any language has, except for those of fractions alone.
    naming = " ".join(f"{form} {{{form}}}" for form in FORMS)
    message = MessageFormat(f"{{n, {use}, {naming}}}", locale)
    return frozenset(message.format({"n": number}) for number in (*range(201), 1_000_000))


def _parsed(text: str, locale: str) -> MessageFormat:
    try:
        return MessageFormat(text, locale)
    except ValueError as error:
        name = str(error).rpartition(" ")[2]
        raise TemplateInvalid(_SENTENCES.get(name, f"ICU refuses the text: {name}.")) from None
