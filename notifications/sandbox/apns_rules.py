"""What APNs accepts as a request. Pure: headers and body in, the first reason out."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

STATUS = {
    "BadCollapseId": 400,
    "BadDeviceToken": 400,
    "BadExpirationDate": 400,
    "BadMessageId": 400,
    "BadPriority": 400,
    "BadTopic": 400,
    "DeviceTokenNotForTopic": 400,
    "DuplicateHeaders": 400,
    "IdleTimeout": 400,
    "InvalidPushType": 400,
    "MissingDeviceToken": 400,
    "MissingTopic": 400,
    "PayloadEmpty": 400,
    "TopicDisallowed": 400,
    "BadCertificate": 403,
    "BadCertificateEnvironment": 403,
    "BadEnvironmentKeyIdInToken": 403,
    "BadEnvironmentKeyInToken": 403,
    "ExpiredProviderToken": 403,
    "Forbidden": 403,
    "InvalidProviderToken": 403,
    "MissingProviderToken": 403,
    "UnrelatedKeyIdInToken": 403,
    "BadPath": 404,
    "MethodNotAllowed": 405,
    "ExpiredToken": 410,
    "Unregistered": 410,
    "PayloadTooLarge": 413,
    "TooManyProviderTokenUpdates": 429,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
    "Shutdown": 503,
}
"""Every reason and the HTTP status it comes with."""

PAYLOAD_BYTES = 4096
VOIP_BYTES = 5120
ONLY_IN_SANDBOX = "d0d0"
"""Addresses that begin so belong to the sandbox environment; production refuses them."""
ONLY_IN_PRODUCTION = "f0f0"
"""The other way round. Every other address is good in both."""

_PATH = re.compile(r"/3/device/(.*)\Z")
_ADDRESS = re.compile(r"[0-9a-fA-F]{2,200}\Z")
_TOPIC = re.compile(r"[A-Za-z0-9.\-]{1,255}\Z")
_SUFFIXES = {
    "voip": ".voip",
    "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider",
    "location": ".location-query",
    "liveactivity": ".push-type.liveactivity",
    "pushtotalk": ".voip-ptt",
    "widgets": ".push-type.widgets",
    "controls": ".push-type.controls",
}
_PUSH_TYPES = frozenset({"alert", "background", "mdm", *_SUFFIXES})
_ONCE = frozenset(
    [
        "apns-id",
        "apns-topic",
        "apns-priority",
        "apns-expiration",
        "apns-collapse-id",
        "apns-push-type",
        "authorization",
    ]
)


def address_of(path: str) -> str | None:
    """The address in a request's path; None when the path is none of APNs'."""
    match = _PATH.match(path)
    return None if match is None else match[1]


def reason_against(
    headers: Mapping[str, str], repeated: frozenset[str], body: bytes, address: str, *, topic: str
) -> str | None:
    """Why APNs refuses this request, before it looks at who the device is."""
    if not repeated.isdisjoint(_ONCE):
        return "DuplicateHeaders"
    return (
        _against_headers(headers, topic=topic)
        or _against_body(body, headers.get("apns-push-type", "alert"))
        or _against_address(address)
    )


def wrong_environment(address: str, environment: str) -> bool:
    """Whether this address belongs to the other of APNs' two worlds."""
    other = ONLY_IN_PRODUCTION if environment == "sandbox" else ONLY_IN_SANDBOX
    return address.startswith(other)


def texts_of(body: bytes) -> tuple[str, str]:
    """Title and body of a payload's alert, for the record."""
    payload: dict[str, Any] = msgspec.json.decode(body)
    aps = payload.get("aps")
    alert = aps.get("alert", "") if isinstance(aps, dict) else ""
    if isinstance(alert, dict):
        return str(alert.get("title", "")), str(alert.get("body", ""))
    return "", str(alert)


def _against_headers(headers: Mapping[str, str], *, topic: str) -> str | None:
    push_type = headers.get("apns-push-type", "alert")
    if push_type not in _PUSH_TYPES:
        return "InvalidPushType"
    identifier = headers.get("apns-id")
    if identifier is not None and not _is_uuid(identifier):
        return "BadMessageId"
    wanted = headers.get("apns-topic", "")
    if not wanted:
        return "MissingTopic"
    if not _TOPIC.match(wanted):
        return "BadTopic"
    if wanted != topic + _SUFFIXES.get(push_type, ""):
        return "TopicDisallowed"
    priority = headers.get("apns-priority", "5" if push_type == "background" else "10")
    if priority not in ("1", "5", "10") or (push_type == "background" and priority == "10"):
        return "BadPriority"
    expiration = headers.get("apns-expiration", "0")
    if not (expiration.isascii() and expiration.isdigit()):
        return "BadExpirationDate"
    if len(headers.get("apns-collapse-id", "").encode()) > 64:
        return "BadCollapseId"
    return None


def _against_body(body: bytes, push_type: str) -> str | None:
    if not body:
        return "PayloadEmpty"
    if len(body) > (VOIP_BYTES if push_type == "voip" else PAYLOAD_BYTES):
        return "PayloadTooLarge"
    try:
        payload = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "PayloadEmpty"
    return None if isinstance(payload, dict) and payload else "PayloadEmpty"


def _against_address(address: str) -> str | None:
    if not address:
        return "MissingDeviceToken"
    return None if _ADDRESS.match(address) else "BadDeviceToken"


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
