"""Patterns of channel names, in the words of Centrifugo's. Pure.

`*` stands for any text, `?` for one character, `[a-z]` and `[!a-z]` for one of a set or none
of it, `{news,chat}` for either; a backslash takes the next character as it is.
"""

import re
from collections.abc import Sequence

ALTERNATIVES = 64
"""What the braces of a pattern may multiply to, at most."""

_ANY = ""
"""Stands for `*` among the pieces of a pattern; the others are regular expressions."""

_Pieces = tuple[str, ...]


def pattern_of(text: str) -> re.Pattern[str]:
    """What matches the names that a pattern means, in time that grows with their length alone.

    Raises `ValueError` for what is no pattern, or too much of one.
    """
    ways, rest = _alternatives(text, 0, nested=False)
    assert rest == len(text), "outside braces everything is taken"
    return re.compile("|".join(map(_expression, ways)), re.DOTALL)


def _alternatives(text: str, at: int, *, nested: bool) -> tuple[list[_Pieces], int]:
    """All ways to read `text` from `at`, up to the brace that closes if `nested`."""
    finished: list[_Pieces] = []
    ways: list[_Pieces] = [()]
    while at < len(text):
        sign, at = text[at], at + 1
        if nested and sign in ",}":
            finished, ways = [*finished, *ways], [()]
            if sign == "}":
                return finished, at
            continue
        if sign == "{":
            inner, at = _alternatives(text, at, nested=True)
            ways = [(*before, *after) for before in ways for after in inner]
        else:
            piece, at = _piece(sign, text, at)
            ways = [(*before, piece) for before in ways]
        if len(ways) + len(finished) > ALTERNATIVES:
            raise ValueError("has too many alternatives")
    if nested:
        raise ValueError("has a brace that is not closed")
    return ways, at


def _piece(sign: str, text: str, at: int) -> tuple[str, int]:
    if sign == "*":
        return _ANY, at
    if sign == "?":
        return ".", at
    if sign == "[":
        end = text.find("]", at + 1)
        if end < 0:
            raise ValueError("has a bracket that is not closed")
        return _set(text[at:end]), end + 1
    if sign == "\\":
        if at == len(text):
            raise ValueError("ends with a backslash")
        return re.escape(text[at]), at + 1
    return re.escape(sign), at


def _set(text: str) -> str:
    inverted = text.startswith("!")
    signs = text[1:] if inverted else text
    if len(signs) == 3 and signs[1] == "-":
        if signs[0] > signs[2]:
            raise ValueError("has a range that ends before it begins")
        inside = f"{re.escape(signs[0])}-{re.escape(signs[2])}"
    elif signs:
        inside = "".join(map(re.escape, signs))
    else:
        raise ValueError("has brackets around nothing")
    return f"[{'^' if inverted else ''}{inside}]"


def _expression(pieces: Sequence[str]) -> str:
    """One way to read the pattern. What comes first behind a `*` is the best match there is.

    So the search for it never has to be taken back, and the atomic groups say that.
    """
    runs = [""]
    for piece in pieces:
        if piece == _ANY:
            runs.append("")
        else:
            runs[-1] += piece
    first, *others = runs
    if not others:
        return f"(?:{first})"
    *between, last = others
    return f"(?:{first}{''.join(f'(?>.*?{run})' for run in between if run)}.*{last})"
