"""Keys of the `aps` dictionary that content may set, by what a push is for."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from notifications.contents.words import Body, Count, Instant, Line, Share, names_of
from notifications.types import PushKind


class AppleAlert(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename="kebab"):
    """What an alert says beside or instead of title and body."""

    title: Line | UnsetType = UNSET
    subtitle: Line | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    launch_image: Line | UnsetType = UNSET
    title_loc_key: Line | UnsetType = UNSET
    title_loc_args: list[Line] | UnsetType = UNSET
    subtitle_loc_key: Line | UnsetType = UNSET
    subtitle_loc_args: list[Line] | UnsetType = UNSET
    loc_key: Line | UnsetType = UNSET
    loc_args: list[Line] | UnsetType = UNSET


class AppleSound(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A sound that is heard even when the phone is silenced, where Apple allows it."""

    name: Line
    critical: Literal[0, 1] = 0
    volume: Share | UnsetType = UNSET


class Apple(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename="kebab"):
    """Keys of `aps`. Which of them a kind of push knows, `APPLE` says."""

    alert: Line | AppleAlert | UnsetType = UNSET
    badge: Count | UnsetType = UNSET
    sound: Line | AppleSound | UnsetType = UNSET
    thread_id: Line | UnsetType = UNSET
    category: Line | UnsetType = UNSET
    content_available: Literal[1] | UnsetType = UNSET
    mutable_content: Literal[1] | UnsetType = UNSET
    target_content_id: Line | UnsetType = UNSET
    interruption_level: Literal["passive", "active", "time-sensitive", "critical"] | UnsetType = (
        UNSET
    )
    relevance_score: float | UnsetType = UNSET
    filter_criteria: Line | UnsetType = UNSET
    timestamp: Instant | UnsetType = UNSET
    event: Literal["start", "update", "end"] | UnsetType = UNSET
    content_state: dict[str, Any] | UnsetType = UNSET
    stale_date: Instant | UnsetType = UNSET
    dismissal_date: Instant | UnsetType = UNSET
    attributes_type: Line | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET
    input_push_token: Literal[1] | UnsetType = UNSET
    input_push_channel: Line | UnsetType = UNSET
    content_changed: bool | UnsetType = UNSET


ALERT = names_of(AppleAlert)

_LIVE = frozenset(
    {
        "timestamp",
        "event",
        "content-state",
        "stale-date",
        "dismissal-date",
        "attributes-type",
        "attributes",
        "input-push-token",
        "input-push-channel",
        "alert",
        "sound",
        "relevance-score",
    }
)
_CHANGED = frozenset({"content-changed"})
_SHOWN = names_of(Apple) - (_LIVE - {"alert", "sound", "relevance-score"}) - _CHANGED
APPLE: Mapping[PushKind, frozenset[str]] = {
    **dict.fromkeys(PushKind, frozenset[str]()),
    PushKind.ALERT: _SHOWN,
    PushKind.BACKGROUND: frozenset({"content-available"}),
    PushKind.LIVE_ACTIVITY: _LIVE,
    PushKind.WIDGETS: _CHANGED,
    PushKind.CONTROLS: _CHANGED,
}
"""The keys that each kind of push may set."""
