"""What a message's body may be. Pure."""

import re
from dataclasses import dataclass

import msgspec

from kernel.errors import InvalidInput
from kernel.options import option
from messaging.errors import MessageTooLarge

DEPTH = 32
"""How deep a body may nest. Parsers on small devices give up early, ours at about a thousand."""

PREVIEW = 200
"""Characters of a text that travel in a notice, at most."""


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """What a message may hold."""

    body_bytes: int = option(16_384, "Size of a message's JSON body, at most.")
    text_characters: int = option(8_000, "Length of a message's text, at most.")

    def __post_init__(self) -> None:
        if self.body_bytes < 2:
            raise ValueError("body_bytes must be at least 2")
        if self.text_characters < 1:
            raise ValueError("text_characters must be at least 1")


def text_of(body: bytes, limits: MessageLimits) -> str:
    """Check a body and return its text, or "" if it has none.

    A body is a JSON object in UTF-8; whatever it holds passes through untouched. Only `text`
    has a meaning here: a string that people may be shown.
    """
    if len(body) > limits.body_bytes:
        raise MessageTooLarge(
            f"A message's body has at most {limits.body_bytes} bytes.", limit=limits.body_bytes
        )
    if _nests_too_deep(body):
        raise InvalidInput("body", f"must not nest deeper than {DEPTH} levels")
    try:
        # Decoding strings refuses surrogates that stand alone, wherever they are.
        values = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError):
        raise InvalidInput("body", "must be JSON in UTF-8") from None
    if not isinstance(values, dict):
        raise InvalidInput("body", "must be a JSON object")
    text = values.get("text", "")
    if not isinstance(text, str):
        raise InvalidInput("body.text", "must be a string")
    if "\x00" in text:
        raise InvalidInput("body.text", "must not hold a NUL character")
    if len(text) > limits.text_characters:
        raise MessageTooLarge(
            f"A message's text has at most {limits.text_characters} characters.",
            limit=limits.text_characters,
        )
    return text


def preview_of(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: 4 * PREVIEW].split())
    return line if len(line) <= PREVIEW else line[: PREVIEW - 1].rstrip() + "…"


_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def _nests_too_deep(body: bytes) -> bool:
    """Whether arrays and objects nest deeper than `DEPTH`; of what is not JSON, anything."""
    if body.count(b"[") + body.count(b"{") <= DEPTH:
        return False
    depth = 0
    for token in _TOKENS.finditer(body):
        mark = token.group()
        if mark in (b"[", b"{"):
            depth += 1
            if depth > DEPTH:
                return True
        elif mark in (b"]", b"}"):
            depth -= 1
    return False
