"""From a text with variables to what a device shows, in its language. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

import msgspec

from notifications.errors import PushTooLarge, TemplateInvalid, TemplateNotFound, VariableMissing
from notifications.types import Content, PushKind, Text

Texts = Mapping[str, Text]
"""A text per locale."""

FALLBACK = ("fr", "en")
"""The languages for whom a text does not speak to in their own."""

TITLE_BYTES = 200
BODY_BYTES = 1200
"""No phone shows more, and what is not shown need not be stored a million times."""

PAYLOAD_BYTES = 4096
"""FCM and APNs take no more than this."""
ENVELOPE_BYTES = 500
"""Left for the keys and options with which an adapter surrounds the content."""

_FSI, _PDI = "\u2068", "\u2069"
# Marks that embed, override or isolate: one without its partner would turn the whole text.
_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_PART = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_ELLIPSIS = "…"

BUILT_IN: Mapping[str, Texts] = {
    "chat.message": {
        "ar": Text("{sender}", "{text}"),
        "fr": Text("{sender}", "{text}"),
        "en": Text("{sender}", "{text}"),
    },
    "chat.message+conversation": {
        "ar": Text("{conversation}", "{sender}: {text}"),
        "fr": Text("{conversation}", "{sender} : {text}"),
        "en": Text("{conversation}", "{sender}: {text}"),
    },
    "task.reminder": {
        "ar": Text("تذكير: {task}", "{event}، {when}"),
        "fr": Text("Rappel : {task}", "{event}, {when}"),
        "en": Text("Reminder: {task}", "{event}, {when}"),
    },
    "announcement": {
        "en": Text("{title}", "{body}"),
    },
}
"""The templates of the house; an announcement is worded by whoever sends it.

One named `<template>+<variable>` replaces that template where the variable says something.
"""


def texts_of(template: str, variables: Mapping[str, str | int]) -> Texts:
    """The texts of a built-in template for these variables. Raises `TemplateNotFound`."""
    for name, value in variables.items():
        if value != "" and f"{template}+{name}" in BUILT_IN:
            return BUILT_IN[f"{template}+{name}"]
    if template not in BUILT_IN:
        raise TemplateNotFound(f"There is no template {template!r}.", template=template)
    return BUILT_IN[template]


def locale_chain(locale: str) -> Iterator[str]:
    """Where to look for a text, best first: `ar-DZ`, `ar`, `fr`, `en`."""
    seen: set[str] = set()
    own = locale.split("-")
    for wanted in (*("-".join(own[:end]) for end in range(len(own), 0, -1)), *FALLBACK):
        if wanted not in seen:
            seen.add(wanted)
            yield wanted


def text_for(texts: Texts, locale: str) -> Text:
    """The text that suits a locale best; any rather than none."""
    for wanted in locale_chain(locale):
        if wanted in texts:
            return texts[wanted]
    if not texts:
        raise TemplateInvalid("The template has no text.")
    return texts[min(texts)]


def rendered(text: Text, variables: Mapping[str, str | int]) -> tuple[str, str]:
    """Title and body, filled in, each no longer than a phone shows.

    Raises `VariableMissing` for a variable that was not given.
    """
    title = shortened(_filled(text.title, variables), TITLE_BYTES)
    return title, shortened(_filled(text.body, variables), BODY_BYTES)


def variables_of(text: Text) -> frozenset[str]:
    """The variables that a text needs. Raises `TemplateInvalid` for a brace left over."""
    for part in (text.title, text.body):
        if re.search(r"[{}]", _PART.sub("", part)):
            raise TemplateInvalid("A variable is written {name}; a brace alone means nothing.")
    return frozenset(_PART.findall(text.title) + _PART.findall(text.body))


def fitted(content: Content) -> Content:
    """The same content, its body and if need be its title shortened to a provider's limit.

    Raises `PushTooLarge` when what travels beside them leaves no room.
    """
    room = PAYLOAD_BYTES - ENVELOPE_BYTES
    # A byte of text weighs at least one byte in JSON, so what is removed is enough.
    excess = _weight(content) - room
    if excess > 0:
        kept = max(0, len(content.body.encode()) - excess)
        content = replace(content, body=shortened(content.body, kept))
    excess = _weight(content) - room
    if excess > 0:
        kept = max(0, len(content.title.encode()) - excess)
        content = replace(content, title=shortened(content.title, kept))
    wordless = content.kind is PushKind.ALERT and not (content.title or content.body)
    if _weight(content) > room or wordless:
        raise PushTooLarge("The data of a push leaves no room for its text.", limit=room)
    return content


def shortened(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes of UTF-8, ended with "…" if anything was cut off.

    Characters that are shown as one stay whole, and isolates that were opened are closed.
    """
    if len(text.encode()) <= limit:
        return text
    room = limit - len(_ELLIPSIS.encode())
    end = size = 0
    open_isolates = 0
    for start, stop in _graphemes(text):
        piece = text[start:stop]
        opened = open_isolates
        for char in piece:
            # One that closes nothing means nothing.
            opened += (char == _FSI) - (char == _PDI and opened > 0)
        size += len(piece.encode())
        if size + opened * len(_PDI.encode()) > room:
            break
        end, open_isolates = stop, opened
    if end == 0:
        return _ELLIPSIS if room >= 0 else ""
    return text[:end].rstrip() + _PDI * open_isolates + _ELLIPSIS


def _filled(pattern: str, variables: Mapping[str, str | int]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in variables:
            raise VariableMissing(name)
        words = str(variables[name]).translate(_BIDI)
        # Alone it has its own direction; among other words an isolate keeps it from turning
        # them, and them from turning it.
        return words if found.group(0) == pattern else f"{_FSI}{words}{_PDI}"

    return _PART.sub(value, pattern)


def _weight(content: Content) -> int:
    """Bytes of the content as JSON, in which quotes and control characters grow.

    The thread counts twice: the phone groups by it, and the app reads it.
    """
    said = {each.name: value for each in fields(content) if (value := getattr(content, each.name))}
    return len(msgspec.json.encode(said)) + len(content.thread.encode())


def _graphemes(text: str) -> Iterator[tuple[int, int]]:
    """Where what is shown as one character begins and ends (the cuts of UAX 29 that matter)."""
    start = 0
    flags = 0
    for place in range(1, len(text)):
        before, char = text[place - 1], text[place]
        flags = flags + 1 if _is_flag(before) else 0
        joined = (
            unicodedata.category(char) in ("Mn", "Me", "Mc")
            or char == "\u200d"
            or before == "\u200d"
            or 0x1F3FB <= ord(char) <= 0x1F3FF
            or (_is_flag(char) and flags % 2 == 1)
            or (0x1160 <= ord(char) <= 0x11FF and 0x1100 <= ord(before) <= 0x11FF)
            or 0xE0020 <= ord(char) <= 0xE007F
            or (before == "\r" and char == "\n")
        )
        if not joined:
            yield start, place
            start = place
    if text:
        yield start, len(text)


def _is_flag(char: str) -> bool:
    return 0x1F1E6 <= ord(char) <= 0x1F1FF
