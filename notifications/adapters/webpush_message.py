"""From an attempt to what a service worker reads, and how the push service shall treat it. Pure."""

from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from kernel.notices import Urgency
from notifications.adapters.push_content import Unsendable, app_data
from notifications.adapters.webpush_crypto import PLAIN_BYTES
from notifications.contents.web import OPTIONS
from notifications.subscriptions import base64url
from notifications.types import Attempt, PushKind

_URGENCY = {
    Urgency.INTERACTIVE: "high",
    Urgency.TRANSACTIONAL: "normal",
    Urgency.MARKETING: "low",
}
_LONGEST_TTL = 28 * 24 * 3600


def message_of(attempt: Attempt) -> bytes:
    """The JSON that `event.data.json()` gives to the service worker.

    `notification` has a title and the options of `showNotification`; a silent push has only
    `data`. With an https link it is also a declarative push, which Safari shows by itself.
    Raises `Unsendable` for what no push service would carry.
    """
    content = attempt.content
    own = dict(content.web)
    message: dict[str, Any] = {"data": app_data(attempt, own.pop("data", None))}
    if content.kind is PushKind.ALERT:
        unknown = own.keys() - OPTIONS
        if unknown:
            raise Unsendable(f"unknown web option: {min(unknown)}")
        shown: dict[str, Any] = {"title": content.title, "body": content.body}
        if attempt.collapse_key:
            shown["tag"] = attempt.collapse_key
        if content.image:
            shown["image"] = content.image
        if content.actions:
            shown["actions"] = [
                {"action": each.id, "title": each.title} for each in content.actions
            ]
        if content.link.startswith("https://"):
            message["web_push"] = 8030
            shown["navigate"] = content.link
        message["notification"] = shown | own
    if content.badge is not None:
        message["app_badge"] = content.badge
    try:
        encoded = msgspec.json.encode(message)
    except (UnicodeEncodeError, TypeError):
        raise Unsendable("not JSON") from None
    if len(encoded) > PLAIN_BYTES:
        raise Unsendable(f"payload of {len(encoded)} bytes")
    return encoded


def headers_of(attempt: Attempt, *, now: datetime) -> dict[str, str]:
    """How long, how urgently, and in whose place (RFC 8030, 5.2 to 5.4)."""
    left = 0 if attempt.content.now_or_never else int((attempt.expires_at - now).total_seconds())
    headers = {
        "TTL": str(min(max(left, 0), _LONGEST_TTL)),
        "Urgency": _URGENCY[attempt.urgency],
    }
    if attempt.collapse_key:
        # A topic has at most 32 characters of base64url.
        digest = sha256(attempt.collapse_key.encode("utf-8", "surrogatepass")).digest()
        headers["Topic"] = base64url(digest[:24])
    return headers
