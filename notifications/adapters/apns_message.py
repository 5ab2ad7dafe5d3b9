"""From an attempt to APNs' request: path, headers and payload. Pure."""

import re

import msgspec
from aioapns import NotificationRequest

from notifications.adapters.aps import TOPIC_SUFFIX, aps_of, ios_priority
from notifications.adapters.push_content import PAYLOAD_BYTES, Unsendable, app_data, collapse_id
from notifications.http2.ends import Head
from notifications.types import Attempt, PushKind

VOIP_BYTES = 5120
"""What a call may carry; everything else has `PAYLOAD_BYTES`."""

_ADDRESS = re.compile(r"[0-9a-fA-F]{2,200}\Z")


class BadAddress(Exception):
    """No APNs device has an address like this."""


class ApnsRequest(NotificationRequest):
    """aioapns' request, with the payload already encoded and the expiry as APNs wants it."""

    __slots__ = ("body", "expires_at", "kind")

    def __init__(self, attempt: Attempt, *, topic: str, body: bytes, collapse_key: str) -> None:
        super().__init__(
            attempt.content.live_activity_token or attempt.address,
            {},
            notification_id=str(attempt.push_id),
            priority=int(ios_priority(attempt)),
            collapse_key=collapse_key or None,
            apns_topic=topic + TOPIC_SUFFIX[attempt.content.kind],
        )
        self.body = body
        # aioapns knows only some of the kinds.
        self.kind = attempt.content.kind
        never_later = attempt.content.now_or_never
        self.expires_at = 0 if never_later else int(attempt.expires_at.timestamp())

    def head(self, *, authority: bytes, authorization: bytes) -> Head:
        """The request's headers. Apple: what differs between pushes stays out of the table."""
        own = [
            (b"authorization", authorization),
            (b"apns-expiration", b"%d" % self.expires_at),
            (b"apns-id", self.notification_id.encode()),
        ]
        if self.collapse_key:
            own.append((b"apns-collapse-id", self.collapse_key.encode()))
        return Head(
            pseudo=((b":method", b"POST"), (b":scheme", b"https"), (b":authority", authority)),
            common=(
                (b"apns-topic", str(self.apns_topic).encode()),
                (b"apns-push-type", self.kind.encode()),
                (b"apns-priority", b"%d" % (self.priority or 10)),
            ),
            path=b"/3/device/" + self.device_token.encode(),
            own=tuple(own),
        )


def request_of(attempt: Attempt, *, topic: str) -> ApnsRequest:
    """What to send. Raises `Unsendable` or `BadAddress` for what APNs would refuse anyway."""
    if not _ADDRESS.match(attempt.content.live_activity_token or attempt.address):
        raise BadAddress
    data: dict[str, object] = dict(app_data(attempt))
    if "aps" in data:
        raise Unsendable("reserved data key: aps")
    content = attempt.content
    if content.image and content.kind is PushKind.ALERT:
        data.setdefault("image", content.image)
    data["aps"] = aps_of(attempt, alert=True)
    try:
        body = msgspec.json.encode(data)
        collapsed = collapse_id(attempt.collapse_key)
    except UnicodeEncodeError:
        raise Unsendable("not Unicode text") from None
    except TypeError:
        raise Unsendable("not JSON") from None
    if len(body) > (VOIP_BYTES if content.kind is PushKind.VOIP else PAYLOAD_BYTES):
        raise Unsendable(f"payload of {len(body)} bytes")
    return ApnsRequest(attempt, topic=topic, body=body, collapse_key=collapsed)
