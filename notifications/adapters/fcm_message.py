"""From an attempt to FCM's message, built by PyFCM. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from pyfcm.baseapi import BaseAPI

from kernel.notices import Urgency
from notifications.adapters.aps import aps_of, ios_priority
from notifications.adapters.push_content import (
    PAYLOAD_BYTES,
    Unsendable,
    app_data,
    collapse_id,
    label_of,
    size_of,
)
from notifications.adapters.webpush_message import headers_of
from notifications.contents.android import ANDROID, ANDROID_NOTIFICATION
from notifications.types import AddressKind, Attempt, PushKind

TOPIC_BYTES = 2048
"""What FCM carries to a topic or condition, at most."""

_LONGEST_TTL = 28 * 24 * 3600
_RESERVED = ("google", "gcm")
_TOPIC = re.compile(r"[a-zA-Z0-9\-_.~%]+")
_TOPICS_AT_ONCE = 5
_RESERVED_NAMES = frozenset({"from", "message_type"})


class FcmApi(BaseAPI):  # type: ignore[misc] # PyFCM is not typed.
    """PyFCM, kept to what it does safely: reading key files and building messages."""

    def json_dumps(self, data: Any) -> Any:
        """Hand the message through: `message_of` may still have to address an installation."""
        return data


def message_of(attempt: Attempt, *, api: FcmApi, now: datetime) -> bytes:
    """The body of `messages:send`. Raises `Unsendable` for what FCM would refuse anyway."""
    content = attempt.content
    shown = content.kind is PushKind.ALERT
    data = app_data(attempt)
    own = app_data(attempt, content.android["data"]) if content.android.get("data") else {}
    for name in (*data, *own):
        if name in _RESERVED_NAMES or name.startswith(_RESERVED):
            raise Unsendable(f"reserved data key: {name}")
    field, limit = _target_of(attempt)
    try:
        words = {"title": content.title, "body": content.body, "image": content.image}
        largest = max(size_of(data), size_of(own)) if own else size_of(data)
        size = largest + (size_of({k: v for k, v in words.items() if v}) if shown else 0)
        collapsed = collapse_id(attempt.collapse_key)
    except UnicodeEncodeError:
        raise Unsendable("not Unicode text") from None
    if size > limit:
        raise Unsendable(f"payload of {size} bytes")
    payload: dict[str, Any] = api.parse_payload(
        fcm_token=attempt.address,
        notification_title=content.title if shown else None,
        notification_body=content.body if shown else None,
        notification_image=(content.image or None) if shown else None,
        data_payload=data,
        android_config=_android(attempt, now),
        apns_config=_apns(attempt, collapsed),
        webpush_config=_web(attempt, now),
        fcm_options={"analytics_label": label} if (label := label_of(attempt)) else None,
    )
    if field != "token":
        # PyFCM 2.1 addresses tokens only; whatever else is addressed takes the same place.
        payload["message"][field] = payload["message"].pop("token")
    try:
        return msgspec.json.encode(payload)
    except (TypeError, UnicodeEncodeError):
        raise Unsendable("not JSON") from None


def _target_of(attempt: Attempt) -> tuple[str, int]:
    """The field that names who shall get it, and how much they take."""
    match attempt.address_kind:
        case AddressKind.FCM_TOPIC:
            if not _TOPIC.fullmatch(attempt.address):
                raise Unsendable("not a topic")
            return "topic", TOPIC_BYTES
        case AddressKind.FCM_CONDITION:
            if not 1 <= attempt.address.count(" in topics") <= _TOPICS_AT_ONCE:
                raise Unsendable("not a condition of 1 to 5 topics")
            return "condition", TOPIC_BYTES
        case AddressKind.FCM_FID:
            return "fid", PAYLOAD_BYTES
    return "token", PAYLOAD_BYTES


def _android(attempt: Attempt, now: datetime) -> dict[str, Any]:
    content = attempt.content
    # FCM demotes apps that are woken with priority and then show nothing.
    shown = content.kind is PushKind.ALERT
    left = 0 if content.now_or_never else int((attempt.expires_at - now).total_seconds())
    android: dict[str, Any] = {
        "priority": "HIGH" if shown and attempt.urgency is not Urgency.MARKETING else "NORMAL",
        "ttl": f"{min(max(left, 0), _LONGEST_TTL)}s",
    }
    notification: dict[str, Any] = {}
    if content.kind is PushKind.ALERT:
        if attempt.collapse_key:
            notification["tag"] = attempt.collapse_key
        if content.category:
            notification["channel_id"] = content.category
        if content.badge is not None:
            notification["notification_count"] = content.badge
    if attempt.collapse_key:
        android["collapse_key"] = attempt.collapse_key
    own = dict(content.android)
    if unknown := own.keys() - ANDROID:
        raise Unsendable(f"no field of android: {min(unknown)}")
    more = own.pop("notification", {})
    if not isinstance(more, Mapping) or (more and content.kind is not PushKind.ALERT):
        raise Unsendable("no notification for android")
    if unknown := more.keys() - ANDROID_NOTIFICATION:
        raise Unsendable(f"no field of android.notification: {min(unknown)}")
    if own.get("data"):
        # In place of everybody's data: what the app needs from us goes along.
        own["data"] = app_data(attempt, own["data"])
    android |= own
    if notification or more:
        android["notification"] = {**notification, **more}
    return android


def _apns(attempt: Attempt, collapsed: str) -> dict[str, Any]:
    """For iPhones that registered with FCM; Android devices never see it.

    FCM carries alerts, live activities that say where they are, and what wakes an app:
    everything else wakes it.
    """
    content = attempt.content
    live = content.kind is PushKind.LIVE_ACTIVITY and bool(content.live_activity_token)
    silent = content.kind is not PushKind.ALERT and not live
    expires_at = 0 if content.now_or_never else int(attempt.expires_at.timestamp())
    headers = {
        "apns-push-type": "liveactivity" if live else "background" if silent else "alert",
        "apns-priority": _priority(attempt, silent=silent),
        "apns-expiration": str(expires_at),
    }
    if collapsed:
        headers["apns-collapse-id"] = collapsed
    aps = {"content-available": 1} if silent else aps_of(attempt, alert=False)
    block: dict[str, Any] = {"headers": headers, "payload": {"aps": aps}}
    if live:
        block["live_activity_token"] = content.live_activity_token
    if content.image and not silent:
        block["fcm_options"] = {"image": content.image}
    return block


def _priority(attempt: Attempt, *, silent: bool) -> str:
    wanted = ios_priority(attempt)
    return "5" if silent and wanted == "10" else wanted


def _web(attempt: Attempt, now: datetime) -> dict[str, Any] | None:
    """For browsers that registered with FCM."""
    content = attempt.content
    if content.kind is not PushKind.ALERT:
        return None
    web: dict[str, Any] = {"headers": headers_of(attempt, now=now)}
    shown: dict[str, Any] = {}
    own = dict(content.web)
    if data := own.pop("data", None):
        web["data"] = app_data(attempt, data)
    if content.actions:
        shown["actions"] = [{"action": each.id, "title": each.title} for each in content.actions]
    if own or shown:
        web["notification"] = shown | own
    if content.link.startswith("https://"):
        web["fcm_options"] = {"link": content.link}
    return web
