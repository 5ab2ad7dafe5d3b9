"""From an attempt to FCM's message, built by PyFCM. Pure."""

from datetime import datetime
from typing import Any

import msgspec
from pyfcm.baseapi import BaseAPI

from kernel.notices import Urgency
from notifications.adapters.push_content import (
    PAYLOAD_BYTES,
    Unsendable,
    app_data,
    aps_of,
    collapse_id,
    ios_priority,
    size_of,
)
from notifications.types import AddressKind, Attempt

_LONGEST_TTL = 28 * 24 * 3600
_RESERVED = ("google", "gcm")
_RESERVED_NAMES = frozenset({"from", "message_type"})


class FcmApi(BaseAPI):  # type: ignore[misc] # PyFCM is not typed.
    """PyFCM, kept to what it does safely: reading key files and building messages."""

    def json_dumps(self, data: Any) -> Any:
        """Hand the message through: `message_of` may still have to address an installation."""
        return data


def message_of(attempt: Attempt, *, api: FcmApi, now: datetime) -> bytes:
    """The body of `messages:send`. Raises `Unsendable` for what FCM would refuse anyway."""
    content = attempt.content
    data = app_data(attempt)
    for name in data:
        if name in _RESERVED_NAMES or name.startswith(_RESERVED):
            raise Unsendable(f"reserved data key: {name}")
    try:
        size = size_of(data) + size_of({"title": content.title, "body": content.body})
        collapsed = collapse_id(attempt.collapse_key)
    except UnicodeEncodeError:
        raise Unsendable("not Unicode text") from None
    if size > PAYLOAD_BYTES:
        raise Unsendable(f"payload of {size} bytes")
    payload: dict[str, Any] = api.parse_payload(
        fcm_token=attempt.address,
        notification_title=content.title,
        notification_body=content.body,
        data_payload=data,
        android_config=_android(attempt, now),
        apns_config=_apns(attempt, collapsed),
    )
    if attempt.address_kind is AddressKind.FCM_FID:
        # PyFCM 2.1 knows tokens only; an installation id takes the same place.
        payload["message"]["fid"] = payload["message"].pop("token")
    return msgspec.json.encode(payload)


def _android(attempt: Attempt, now: datetime) -> dict[str, Any]:
    left = int((attempt.expires_at - now).total_seconds())
    notification: dict[str, Any] = {}
    if attempt.collapse_key:
        notification["tag"] = attempt.collapse_key
    if attempt.content.category:
        notification["channel_id"] = attempt.content.category
    android: dict[str, Any] = {
        "priority": "NORMAL" if attempt.urgency is Urgency.MARKETING else "HIGH",
        "ttl": f"{min(max(left, 0), _LONGEST_TTL)}s",
    }
    if attempt.collapse_key:
        android["collapse_key"] = attempt.collapse_key
    if notification:
        android["notification"] = notification
    return android


def _apns(attempt: Attempt, collapsed: str) -> dict[str, Any]:
    """For iPhones that registered with FCM; Android devices never see it."""
    headers = {
        "apns-push-type": "alert",
        "apns-priority": ios_priority(attempt.urgency),
        "apns-expiration": str(int(attempt.expires_at.timestamp())),
    }
    if collapsed:
        headers["apns-collapse-id"] = collapsed
    return {"headers": headers, "payload": {"aps": aps_of(attempt, alert=False)}}
