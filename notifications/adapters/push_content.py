"""What FCM and APNs have in common when a push is put into their words. Pure."""

from collections.abc import Mapping
from hashlib import sha256

from kernel.notices import Urgency
from notifications.types import Attempt

PAYLOAD_BYTES = 4096
"""What both providers carry, at most."""

COLLAPSE_BYTES = 64
"""The longest collapse id that APNs takes."""


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


def app_data(attempt: Attempt) -> dict[str, str]:
    """What the app receives beside the texts: the content's data, and what it needs from us.

    `push_id` lets the app drop a repeat; `link` and `thread` are there when the content has them.
    """
    content = attempt.content
    data = dict(content.data)
    data["push_id"] = str(attempt.push_id)
    if content.link:
        data["link"] = content.link
    if content.thread:
        data["thread"] = content.thread
    return data


def aps_of(attempt: Attempt, *, alert: bool) -> dict[str, object]:
    """The `aps` dictionary for iOS; FCM adds the alert itself."""
    content = attempt.content
    aps: dict[str, object] = {}
    if alert:
        aps["alert"] = {"title": content.title, "body": content.body}
    if attempt.urgency is Urgency.MARKETING:
        aps["interruption-level"] = "passive"
    else:
        aps["sound"] = "default"
    if content.badge is not None:
        aps["badge"] = content.badge
    if content.thread:
        aps["thread-id"] = content.thread
    if content.category:
        aps["category"] = content.category
    return aps


def ios_priority(urgency: Urgency) -> str:
    """10 is at once; 5 lets the phone choose a moment that is kind to its battery."""
    return "5" if urgency is Urgency.MARKETING else "10"


def size_of(texts: Mapping[str, str]) -> int:
    """Bytes of keys and values, as FCM counts them."""
    return sum(len(name.encode()) + len(text.encode()) for name, text in texts.items())
