"""What an ICU message says of its variables, and the same message with them isolated. Pure.

ICU parses and formats; it says neither which variables a message takes nor puts isolates
around them. This reads messages that ICU has accepted already.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from notifications.errors import TemplateInvalid

FSI, PDI = "\u2068", "\u2069"

VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
"""What a variable may be called."""


class Use(StrEnum):
    """What a message does with a variable."""

    TEXT = "text"
    """`{name}`: it stands there as it is."""
    NUMBER = "number"
    """`{count, number}` and other ways to write a number."""
    PLURAL = "plural"
    ORDINAL = "selectordinal"
    SELECT = "select"


NUMERIC = frozenset({Use.NUMBER, Use.PLURAL, Use.ORDINAL})
"""Uses that need a number."""

_USES = {
    "number": Use.NUMBER,
    "spellout": Use.NUMBER,
    "ordinal": Use.NUMBER,
    "duration": Use.NUMBER,
    "plural": Use.PLURAL,
    "selectordinal": Use.ORDINAL,
    "select": Use.SELECT,
}
_REFUSED = {
    "date": "the server does not know the reader's time zone; say it in words",
    "time": "the server does not know the reader's time zone; say it in words",
    "choice": "it is obsolete; use plural or select",
}
NESTED = 8
"""How deep forms may stand in forms; nobody can read more."""

_FORMS = (Use.PLURAL, Use.ORDINAL, Use.SELECT)

# Unicode's Pattern_White_Space: what ICU skips around names and keywords.
_SPACE = re.compile("[\t-\r \x85\u200e\u200f\u2028\u2029]*")
_WORD = re.compile("[^\t-\r \x85\u200e\u200f\u2028\u2029{},#']+")


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of one plural, ordinal or selection: `one`, `other`, `=0`, `female`."""

    variable: str
    use: Use
    keywords: tuple[str, ...]


@dataclass(slots=True)
class Scan:
    """What was found; `isolated` is the message with isolates around what stands in it.

    `alone` is the variable that is the whole message, if that is all there is.
    """

    isolated: str = ""
    alone: str = ""
    uses: dict[str, set[Use]] = field(default_factory=dict)
    forms: list[Forms] = field(default_factory=list)


def scan(message: str) -> Scan:
    """Read a message. Raises `TemplateInvalid` for what ICU takes and a push should not."""
    found = Scan()
    reader = _Reader(message, found)
    parts = list(reader.message(0, within=None))
    if len(parts) == 3 and (parts[0], parts[2]) == (FSI, PDI):
        # Alone it has its own direction; among other words an isolate keeps it from turning
        # them, and them from turning it.
        (found.alone,) = found.uses
        found.isolated = parts[1]
    else:
        found.isolated = "".join(parts)
    return found


class _Reader:
    """Goes through a message once, in ICU's mode of apostrophes, in which `l'ami` needs none."""

    def __init__(self, text: str, found: Scan) -> None:
        self._text = text
        self._found = found
        self._at = 0

    def message(self, depth: int, *, within: Use | None) -> Iterator[str]:
        """The parts of a message up to its end, or to the brace that closes a form."""
        text = self._text
        start = self._at
        while self._at < len(text):
            char = text[self._at]
            if char == "'":
                self._skip_quoted(within)
            elif char == "{":
                if start < self._at:
                    yield text[start : self._at]
                yield from self._argument(depth)
                start = self._at
            elif char == "}" and depth > 0:
                break
            else:
                self._at += 1
        if start < self._at:
            yield text[start : self._at]

    def _skip_quoted(self, within: Use | None) -> None:
        text = self._text
        after = text[self._at + 1 : self._at + 2]
        if after == "'":
            self._at += 2
            return
        special = "{}#" if within in (Use.PLURAL, Use.ORDINAL) else "{}"
        if not after or after not in special:
            self._at += 1
            return
        opened = self._at
        self._at += 1
        while (end := text.find("'", self._at)) >= 0:
            self._at = end + 2
            if text[end + 1 : end + 2] != "'":
                self._at = end + 1
                return
        raise TemplateInvalid(
            f"The apostrophe at place {opened + 1} begins quoted text that does not end; "
            "before a brace write two apostrophes, or ’."
        )

    def _argument(self, depth: int) -> Iterator[str]:
        start = self._at
        self._at += 1
        name = self._word()
        if not VARIABLE.fullmatch(name):
            raise TemplateInvalid(
                f"{name!r} cannot be a variable's name: write letters, digits and underscores."
            )
        if self._next() == "}":
            self._note(name, Use.TEXT)
            yield FSI
            yield self._text[start : self._at]
            yield PDI
            return
        kind = self._word().lower()
        if kind in _REFUSED:
            raise TemplateInvalid(f"{{{name}, {kind}}} cannot be used: {_REFUSED[kind]}.")
        use = _USES[kind]
        self._note(name, use)
        if use in _FORMS:
            self._next()
            yield self._text[start : self._at]
            yield from self._forms(name, use, depth)
            return
        self._skip_style()
        yield FSI
        yield self._text[start : self._at]
        yield PDI

    def _forms(self, name: str, use: Use, depth: int) -> Iterator[str]:
        """Everything after the comma that follows `plural`, with the brace that ends it."""
        if depth == NESTED:
            raise TemplateInvalid(f"Forms may be nested {NESTED} deep at most.")
        keywords: list[str] = []
        start = self._at
        while True:
            self._space()
            if self._text[self._at] == "}":
                self._at += 1
                break
            if self._text.startswith("offset:", self._at) and not keywords:
                self._at += len("offset:")
                self._word()
                continue
            keywords.append(self._word())
            self._space()
            self._at += 1
            yield self._text[start : self._at]
            # ICU puts the number in place of # in the forms of a plural, not in what is
            # nested in them.
            yield from self.message(depth + 1, within=use)
            start = self._at
            self._at += 1
        self._found.forms.append(Forms(name, use, tuple(keywords)))
        yield self._text[start : self._at]

    def _skip_style(self) -> None:
        """To behind the brace that ends `{n, number, #,##0.00}`."""
        open_braces = 1
        while open_braces:
            char = self._text[self._at]
            self._at += 1
            if char == "'":
                end = self._text.find("'", self._at)
                self._at = end + 1 if end >= 0 else len(self._text)
            else:
                open_braces += (char == "{") - (char == "}")

    def _note(self, name: str, use: Use) -> None:
        self._found.uses.setdefault(name, set()).add(use)

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _word(self) -> str:
        self._space()
        found = _WORD.match(self._text, self._at)
        word = found.group() if found else ""
        self._at += len(word)
        return word

    def _next(self) -> str:
        """The sign after a word: a comma, or the brace that ends an argument."""
        self._space()
        self._at += 1
        return self._text[self._at - 1]
