"""A browser's push subscription: checked where it comes in, read where it is used. Pure."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from kernel.errors import InvalidInput
from notifications.endpoints import origin_of


class _Keys(msgspec.Struct, frozen=True):
    auth: str
    p256dh: str


class _Json(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `JSON.stringify(subscription)` says; further members are ignored."""

    endpoint: str
    keys: _Keys
    application_server_key: str = msgspec.field(default="", name="applicationServerKey")
    """The key that the app subscribed with, if it says so: a browser keeps that to itself."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a browser is reached, and the keys with which only it can read a push.

    `text` is its one spelling, with which it is stored.
    """

    endpoint: str
    origin: str
    p256dh: bytes
    auth: bytes
    text: str
    made_with: str = ""
    """The VAPID key that the app says it subscribed with."""


def subscription_of(text: str) -> Subscription:
    """The subscription that an app sends as `JSON.stringify(subscription)`.

    Raises `InvalidInput` for what no browser gives out, above all for an endpoint that might
    lead into a private network: only https, a host's name and not an address, no user.
    """
    try:
        said = msgspec.json.decode(text, type=_Json)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise InvalidInput(
            "address", "must be a push subscription as JSON, with endpoint and keys"
        ) from None
    origin = origin_of(said.endpoint)
    p256dh, auth = _bytes(said.keys.p256dh), _bytes(said.keys.auth)
    if len(auth) != 16:
        raise InvalidInput("address", "needs a key auth of 16 bytes in base64url")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
    except ValueError:
        raise InvalidInput("address", "needs a key p256dh that is a point of P-256") from None
    if len(p256dh) != 65:
        raise InvalidInput("address", "needs an uncompressed key p256dh")
    made_with = _bytes(said.application_server_key)
    if said.application_server_key and len(made_with) != 65:
        raise InvalidInput("address", "needs an applicationServerKey of 65 bytes, or none")
    shown = base64url(made_with)
    canonical = _Json(said.endpoint, _Keys(base64url(auth), base64url(p256dh)), shown)
    return Subscription(
        endpoint=said.endpoint,
        origin=origin,
        p256dh=p256dh,
        auth=auth,
        text=msgspec.json.encode(canonical).decode(),
        made_with=shown,
    )


def base64url(data: bytes) -> str:
    """Without padding, as every specification of Web Push wants it."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """What a key says in base64url, with or without padding; empty for what says nothing."""
    bare = text.rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", bare):
        return b""
    try:
        return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError:
        return b""
