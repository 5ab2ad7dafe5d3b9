"""A browser's push subscription: checked where it comes in, read where it is used. Pure."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from kernel.errors import InvalidInput

ENDPOINT_LENGTH = 2048
_VISIBLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")


class _Keys(msgspec.Struct, frozen=True):
    auth: str
    p256dh: str


class _Json(msgspec.Struct, frozen=True):
    """What `JSON.stringify(subscription)` says; further members are ignored."""

    endpoint: str
    keys: _Keys


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
    origin = _origin(said.endpoint)
    p256dh, auth = _bytes(said.keys.p256dh), _bytes(said.keys.auth)
    if len(auth) != 16:
        raise InvalidInput("address", "needs a key auth of 16 bytes in base64url")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
    except ValueError:
        raise InvalidInput("address", "needs a key p256dh that is a point of P-256") from None
    if len(p256dh) != 65:
        raise InvalidInput("address", "needs an uncompressed key p256dh")
    canonical = _Json(said.endpoint, _Keys(base64url(auth), base64url(p256dh)))
    return Subscription(
        endpoint=said.endpoint,
        origin=origin,
        p256dh=p256dh,
        auth=auth,
        text=msgspec.json.encode(canonical).decode(),
    )


def base64url(data: bytes) -> str:
    """Without padding, as every specification of Web Push wants it."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _origin(endpoint: str) -> str:
    if len(endpoint) > ENDPOINT_LENGTH or not _VISIBLE.fullmatch(endpoint):
        raise InvalidInput("address", f"needs an endpoint of at most {ENDPOINT_LENGTH} characters")
    try:
        url = urlsplit(endpoint)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise InvalidInput("address", "needs an endpoint that is an address") from None
    # A backslash is a slash to some who read addresses, and not to others.
    if url.scheme != "https" or not host or "@" in url.netloc or url.fragment or "\\" in endpoint:
        raise InvalidInput("address", "needs an https endpoint without user and fragment")
    if _is_literal(host) or not _HOST.fullmatch(host):
        raise InvalidInput("address", "needs an endpoint whose host has a name")
    return f"https://{host}" if port in (None, 443) else f"https://{host}:{port}"


def _is_literal(host: str) -> bool:
    """Whether this is an IP address in any of the spellings that resolvers understand."""
    try:
        ip_address(host)
    except ValueError:
        # "2130706433", "0x7f.1" and "127.1" are addresses to the C library.
        return (
            re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)", host.rstrip(".").rpartition(".")[2]) is not None
        )
    return True


def _bytes(text: str) -> bytes:
    """What a key says in base64url, with or without padding; empty for what says nothing."""
    bare = text.rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", bare):
        return b""
    try:
        return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError:
        return b""
