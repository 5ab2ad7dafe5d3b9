"""What a conversation's title may be. Pure."""

import unicodedata

from kernel.errors import InvalidInput

CHARACTERS = 200

_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of the text behind them, in other people's lists too."""

_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, lone surrogates, and separators of lines and paragraphs."""


def title_of(text: str) -> str:
    """A title on one line, without what could disturb the texts around it.

    Joiners stay: Arabic and Persian words and many emoji need them.
    """
    kept = "".join(
        " " if unicodedata.category(char) in _UNSEEN else char
        for char in text
        if char not in _OVERRIDES
    )
    title = " ".join(kept.split())
    if len(title) > CHARACTERS:
        raise InvalidInput("title", f"must have at most {CHARACTERS} characters")
    return title
