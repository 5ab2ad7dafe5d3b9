"""What fits into a push: bytes of UTF-8, cut between what is shown as one character. Pure."""

import re
from collections.abc import Iterator
from dataclasses import fields, replace

import msgspec
from icu4py.breakers import CharacterBreaker

from notifications.errors import PushTooLarge, TemplateInvalid
from notifications.templates.scanning import FSI, PDI
from notifications.types import Content, PushKind

TITLE_BYTES = 200
BODY_BYTES = 1200
"""No phone shows more, and what is not shown need not be stored a million times."""

PAYLOAD_BYTES = 4096
"""FCM and APNs take no more than this."""
ENVELOPE_BYTES = 500
"""Left for the keys and options with which an adapter surrounds the content."""

_ELLIPSIS = "…"
_ISOLATES = re.compile(f"[{FSI}{PDI}]")
_encoder = msgspec.json.Encoder()


def fitted(content: Content, *, limit: int = PAYLOAD_BYTES) -> Content:
    """The same content, its body and if need be its title shortened to a provider's limit.

    Raises `TemplateInvalid` when it says nothing, and `PushTooLarge` when what travels beside
    its words leaves no room for them.
    """
    if not _speaks(content):
        raise TemplateInvalid("A text needs a title or a body.")
    room = limit - ENVELOPE_BYTES
    if len(_encoder.encode(content)) + _said_twice(content) <= room:
        # With the fields that say nothing it weighs more than it does, so this is enough.
        return content
    # A byte of text weighs at least one byte in JSON, so what is removed is enough.
    excess = _weight(content) - room
    if excess > 0:
        kept = max(0, len(content.body.encode()) - excess)
        content = replace(content, body=shortened(content.body, kept))
    excess = _weight(content) - room
    if excess > 0:
        kept = max(0, len(content.title.encode()) - excess)
        content = replace(content, title=shortened(content.title, kept))
    if _weight(content) > room or not _speaks(content):
        raise PushTooLarge("The data of a push leaves no room for its text.", limit=room)
    return content


def shortened(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes of UTF-8, ended with "…" if anything was cut off.

    Characters that are shown as one stay whole, and isolates that were opened are closed.
    """
    if len(text) * 4 <= limit:
        return text
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    room = limit - len(_ELLIPSIS.encode())
    if room < 0:
        return ""
    longest = len(encoded[:room].decode(errors="ignore"))
    for end in _ends(text, longest):
        kept = text[:end]
        closing = PDI * _open_isolates(kept)
        if len(kept.encode()) + len(closing.encode()) <= room:
            return kept.rstrip() + closing + _ELLIPSIS
    return _ELLIPSIS


def _ends(text: str, longest: int) -> Iterator[int]:
    """Where characters that are shown as one end, from `longest` on backwards.

    Most texts have a place nearby where one certainly ends, and what is before it need not be
    looked through: behind a letter that joins with nothing, before a space.
    """
    start = text.rfind(" ", 0, longest)
    while start > 0 and not _joins_nothing(text[start - 1]):
        start = text.rfind(" ", 0, start)
    if start > 0:
        yield from _ends_from(text, start, longest)
        longest = start
    yield from _ends_from(text, 0, longest)


def _ends_from(text: str, start: int, longest: int) -> Iterator[int]:
    # Whether one ends at `longest` depends on what follows.
    at = start
    ends = [at := at + len(piece) for piece in _graphemes(text[start : longest + 1])]
    yield from (end for end in reversed(ends) if end <= longest)
    if start > 0:
        yield start


def _joins_nothing(char: str) -> bool:
    return (char.isascii() and char.isalnum()) or "\u0621" <= char <= "\u064a"


def _open_isolates(text: str) -> int:
    opened = 0
    for mark in _ISOLATES.findall(text):
        # One that closes nothing means nothing.
        opened += (mark == FSI) - (mark == PDI and opened > 0)
    return opened


def _speaks(content: Content) -> bool:
    """Whether it has words, where words are what it is for."""
    return content.kind is not PushKind.ALERT or bool(f"{content.title}{content.body}".strip())


def _weight(content: Content) -> int:
    """Bytes of the content as JSON, in which quotes and control characters grow."""
    said = {each.name: value for each in fields(content) if (value := getattr(content, each.name))}
    return len(_encoder.encode(said)) + _said_twice(content)


def _said_twice(content: Content) -> int:
    """The phone groups by the thread and shows the buttons, and the app reads both.

    Buttons reach an app as a text of JSON, in which each quote is written with two signs.
    """
    twice = len(content.thread.encode())
    if content.link:
        # Browsers open it by themselves.
        twice += len(content.link.encode())
    if content.actions:
        twice += 2 * len(_encoder.encode(content.actions))
    return twice


def _graphemes(text: str) -> Iterator[str]:
    """What is shown as one character, each (UAX 29, by ICU)."""
    return iter(CharacterBreaker(text, "root"))
