"""The `aps` dictionary, by what a push is for. Pure."""

from collections.abc import Mapping
from typing import Any

from kernel.notices import Urgency
from notifications.adapters.push_content import Unsendable
from notifications.contents.apple import ALERT, APPLE
from notifications.types import Attempt, Content, PushKind

TOPIC_SUFFIX: Mapping[PushKind, str] = {
    PushKind.ALERT: "",
    PushKind.BACKGROUND: "",
    PushKind.VOIP: ".voip",
    PushKind.COMPLICATION: ".complication",
    PushKind.FILE_PROVIDER: ".pushkit.fileprovider",
    PushKind.LOCATION: ".location-query",
    PushKind.LIVE_ACTIVITY: ".push-type.liveactivity",
    PushKind.PUSH_TO_TALK: ".voip-ptt",
    PushKind.WIDGETS: ".push-type.widgets",
    PushKind.CONTROLS: ".push-type.controls",
}
"""What follows the bundle id in `apns-topic`."""

_LEVELS = frozenset({"passive", "active", "time-sensitive", "critical"})
_EVENTS = frozenset({"start", "update", "end"})


def aps_of(attempt: Attempt, *, alert: bool) -> dict[str, Any]:
    """The `aps` dictionary; FCM adds the alert itself. Raises `Unsendable` for nonsense."""
    content = attempt.content
    match content.kind:
        case PushKind.ALERT:
            aps = _shown(attempt, alert=alert)
        case PushKind.BACKGROUND:
            aps = {"content-available": 1}
        case PushKind.WIDGETS | PushKind.CONTROLS:
            aps = {"content-changed": True}
        case _:
            aps = {}
    unknown = content.apple.keys() - APPLE[content.kind]
    if unknown:
        raise Unsendable(f"no key of aps for {content.kind}: {min(unknown)}")
    own = dict(content.apple)
    if isinstance(words := own.get("alert"), Mapping):
        if unknown := words.keys() - ALERT:
            raise Unsendable(f"no key of an alert: {min(unknown)}")
        own["alert"] = {**aps.get("alert", {}), **words}
    aps |= own
    _check(aps, content)
    return aps


def ios_priority(attempt: Attempt) -> str:
    """10 is at once; 5 lets the phone choose a moment that is kind to its battery.

    What wakes an app in the background may only be 5, or 1, which waits until it is awake.
    """
    if attempt.content.apple_priority:
        return str(attempt.content.apple_priority)
    patient = attempt.urgency is Urgency.MARKETING or attempt.content.kind is PushKind.BACKGROUND
    return "5" if patient else "10"


def _shown(attempt: Attempt, *, alert: bool) -> dict[str, Any]:
    content = attempt.content
    aps: dict[str, Any] = {}
    # Without words it only sets the icon's badge: nothing is shown, nothing sounds.
    worded = bool(content.title or content.body)
    if alert and worded:
        aps["alert"] = {"title": content.title, "body": content.body}
    if attempt.urgency is Urgency.MARKETING:
        aps["interruption-level"] = "passive"
    elif worded:
        aps["sound"] = "default"
    if content.badge is not None:
        aps["badge"] = content.badge
    if content.thread:
        aps["thread-id"] = content.thread
    if content.category:
        aps["category"] = content.category
    if content.image:
        # An extension of the app fetches the picture: it needs to be asked, and the address.
        aps["mutable-content"] = 1
    return aps


def _check(aps: Mapping[str, Any], content: Content) -> None:
    """What APNs would take and the phone would then drop without a word."""
    # What is looked for in a set must be a text: a list cannot be.
    if str(aps.get("interruption-level", "active")) not in _LEVELS:
        raise Unsendable("interruption-level")
    score = aps.get("relevance-score", 0)
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise Unsendable("relevance-score")
    if content.kind is not PushKind.LIVE_ACTIVITY:
        if not 0 <= score <= 1:
            raise Unsendable("relevance-score")
        return
    if str(aps.get("event")) not in _EVENTS or not isinstance(aps.get("timestamp"), int):
        raise Unsendable("a live activity needs event and timestamp")
    if aps["event"] == "start" and not ("attributes-type" in aps and "attributes" in aps):
        raise Unsendable("a live activity starts with attributes")
