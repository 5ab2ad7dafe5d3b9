"""What every provider would be sent for a content, and whether it could take it. Sends nothing."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from google.auth.credentials import AnonymousCredentials

from kernel.notices import Urgency
from notifications.adapters import apns_message, fcm_message, webpush_message
from notifications.adapters.push_content import PAYLOAD_BYTES, Unsendable
from notifications.adapters.webpush_crypto import PLAIN_BYTES
from notifications.templates.ports import Load
from notifications.types import AddressKind, Attempt, Content, Environment

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_TOPIC = "app.zaffa.of.some.length"

Payload = dict[str, Any]


class AdaptersRehearsal:
    """Fulfils `Rehearsal`: the words that the adapters would use for it."""

    def __init__(self) -> None:
        self._api = fcm_message.FcmApi(
            credentials=AnonymousCredentials()  # type: ignore[no-untyped-call]
        )

    def loads(self, content: Content) -> Sequence[Load]:
        return [
            _load("fcm", PAYLOAD_BYTES, lambda: self._fcm(content)),
            _load("apns", PAYLOAD_BYTES, lambda: _apns(content)),
            _load("webpush", PLAIN_BYTES, lambda: _webpush(content)),
        ]

    def _fcm(self, content: Content) -> tuple[int, Payload]:
        attempt = _attempt(content, AddressKind.FCM_TOKEN, "t" * 160)
        sent = fcm_message.message_of(attempt, api=self._api, now=_NOW)
        message: Payload = msgspec.json.decode(sent)["message"]
        # FCM counts the data and what is shown; addresses and options are free.
        counted = (
            message.get("data", {}),
            message.get("notification", {}),
            message.get("android", {}).get("notification", {}),
        )
        del message["token"]
        return sum(_texts(each) for each in counted), message


def _apns(content: Content) -> tuple[int, Payload]:
    attempt = _attempt(content, AddressKind.APNS, "a" * 64)
    body = apns_message.request_of(attempt, topic=_TOPIC).body
    return len(body), msgspec.json.decode(body)


def _webpush(content: Content) -> tuple[int, Payload]:
    body = webpush_message.message_of(_attempt(content, AddressKind.WEBPUSH, ""))
    return len(body), msgspec.json.decode(body)


def _load(provider: str, limit: int, rehearse: Callable[[], tuple[int, Payload]]) -> Load:
    try:
        size, payload = rehearse()
    except Unsendable as error:
        return Load(provider, size=0, limit=limit, refused=error.reason)
    return Load(provider, size, limit, payload=payload)


def _attempt(content: Content, kind: AddressKind, address: str) -> Attempt:
    return Attempt(
        push_id=UUID(int=0),
        number=1,
        address_kind=kind,
        address=address,
        environment=Environment.PRODUCTION,
        urgency=Urgency.TRANSACTIONAL,
        content=content,
        collapse_key="c" * 32,
        expires_at=_NOW + timedelta(hours=1),
    )


def _texts(value: Any) -> int:
    """Bytes of keys and texts, however deep."""
    if isinstance(value, Mapping):
        return sum(len(name.encode()) + _texts(each) for name, each in value.items())
    if isinstance(value, list):
        return sum(_texts(each) for each in value)
    return len(str(value).encode())
