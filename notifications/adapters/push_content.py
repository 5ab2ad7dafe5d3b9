"""What FCM and APNs have in common when a push is put into their words. Pure."""

import re
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from notifications.types import Attempt

PAYLOAD_BYTES = 4096
"""What both providers carry, at most."""

COLLAPSE_BYTES = 64
"""The longest collapse id that APNs takes."""


_LABEL = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}")


class Unsendable(Exception):
    """No provider would ever take this push; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def collapse_id(key: str) -> str:
    """The collapse key, or a digest of it where APNs' header could not carry it."""
    fits = len(key) <= COLLAPSE_BYTES and key == key.strip()
    if fits and key.isascii() and key.isprintable():
        return key
    return sha256(key.encode()).hexdigest()


def app_data(attempt: Attempt, instead: object = None) -> dict[str, str]:
    """What the app receives beside the texts: the content's data, and what it needs from us.

    `instead` of everybody's data, one platform may have its own. `push_id` lets the app drop a
    repeat, `report_id` lets it say what became of it; `link`, `thread` and `actions`, its
    buttons as JSON, are there when the content has them. Raises `Unsendable` for what is no data.
    """
    content = attempt.content
    data = dict(content.data) if instead is None else _texts(instead)
    data["push_id"] = str(attempt.push_id)
    if attempt.report_id:
        data["report_id"] = attempt.report_id
    if content.link:
        data["link"] = content.link
    if content.thread:
        data["thread"] = content.thread
    if content.actions:
        data["actions"] = msgspec.json.encode(content.actions).decode()
    return data


def _texts(data: object) -> dict[str, str]:
    try:
        return msgspec.convert(data, dict[str, str])
    except msgspec.ValidationError:
        raise Unsendable("data holds more than texts") from None


def label_of(attempt: Attempt) -> str:
    """Its label for a provider's statistics. Raises `Unsendable` for what is none."""
    label = attempt.content.label
    if label and not _LABEL.fullmatch(label):
        raise Unsendable("label")
    return label


def size_of(texts: Mapping[str, str]) -> int:
    """Bytes of keys and values, as FCM counts them."""
    return sum(len(name.encode()) + len(text.encode()) for name, text in texts.items())
