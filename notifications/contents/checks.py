"""Rules that one field of a content alone cannot keep. Pure.

A provider would refuse what breaks them, or the phone would drop it without a word; here the
server that asks is told which field it was.
"""

import re
from collections.abc import Mapping
from typing import Any

from kernel.errors import InvalidInput
from notifications.contents.apple import APPLE
from notifications.contents.words import is_taken
from notifications.types import PushKind

BADGE = 2**31 - 1

_LABEL = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}")
_TOKEN = re.compile(r"[0-9a-fA-F]{2,200}")
_PICTURE = re.compile(r"https://[!-~]{1,2040}")


def check_content(fields: Mapping[str, Any]) -> None:
    """Check the fields of a content that are not words. Raises `InvalidInput`.

    `fields` are those of `Content` that were given; each block is as its provider has it.
    """
    kind = PushKind(fields.get("kind", PushKind.ALERT))
    if kind is not PushKind.ALERT:
        for name in ("image", "badge", "web"):
            if fields.get(name):
                raise InvalidInput(name, f"is shown with an alert only, not with {kind}")
    if (badge := fields.get("badge")) is not None and not 0 <= badge <= BADGE:
        raise InvalidInput("badge", f"must be 0 to {BADGE}")
    if (image := fields.get("image", "")) and not _PICTURE.fullmatch(image):
        raise InvalidInput("image", "must be an https address of at most 2048 visible characters")
    if (label := fields.get("label", "")) and not _LABEL.fullmatch(label):
        raise InvalidInput("label", "must be 1 to 50 of the characters a-z A-Z 0-9 - _ . ~ %")
    if kind is not PushKind.ALERT and fields.get("android", {}).get("notification"):
        raise InvalidInput("android.notification", f"is shown with an alert only, not with {kind}")
    _check_data(fields)
    priority = fields.get("apple_priority", 5)
    if priority not in (1, 5, 10) or (priority == 10 and kind is PushKind.BACKGROUND):
        raise InvalidInput("apple_priority", "must be 1, 5 or 10, and for background 1 or 5")
    if token := fields.get("live_activity_token", ""):
        if kind is not PushKind.LIVE_ACTIVITY:
            raise InvalidInput("live_activity_token", "is for the kind liveactivity only")
        if not _TOKEN.fullmatch(token):
            raise InvalidInput("live_activity_token", "must be hexadecimal")
    _check_apple(kind, fields.get("apple", {}))


def _check_data(fields: Mapping[str, Any]) -> None:
    for block in ("android", "web"):
        for name in fields.get(block, {}).get("data", {}):
            if is_taken(name):
                raise InvalidInput(f"{block}.data.{name}", "is a name that providers or Zaffa use")


def _check_apple(kind: PushKind, apple: Mapping[str, Any]) -> None:
    if unknown := apple.keys() - APPLE[kind]:
        raise InvalidInput(f"apple.{min(unknown)}", f"is no key of aps for {kind}")
    if kind is not PushKind.LIVE_ACTIVITY:
        if not 0 <= apple.get("relevance-score", 0) <= 1:
            raise InvalidInput("apple.relevance-score", "must be 0 to 1")
        return
    for name in ("event", "timestamp"):
        if name not in apple:
            raise InvalidInput(f"apple.{name}", "is required for a live activity")
    if apple["event"] == "start":
        for name in ("attributes-type", "attributes"):
            if name not in apple:
                raise InvalidInput(f"apple.{name}", "is required to start a live activity")
