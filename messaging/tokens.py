"""What tokens say about channels, beside who somebody is.

Claims are those of Centrifugo: https://centrifugal.dev/docs/server/channel_token_auth
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from kernel.errors import Unauthenticated
from kernel.identity import Principal, TokenVerifier
from messaging.channels.grants import Override
from messaging.protocol.codec import is_payload


@dataclass(frozen=True, slots=True)
class SubscriptionToken:
    """A subscription token that is signed and in its time."""

    user_id: str
    channel: str
    client: str
    """The only connection that may use it, if it names one."""
    info: bytes
    data: bytes
    override: Override | None
    expires_at: datetime | None
    token_id: str = ""
    """Its `jti`, by which it may be revoked."""


class _Said(msgspec.Struct, frozen=True):
    """What can be said of a subscription, in a token of its own or in a connection's."""

    info: msgspec.Raw = msgspec.Raw(b"null")
    b64info: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    b64data: str = ""
    override: Override | None = None


class _SubscriptionClaims(_Said, frozen=True):
    sub: str = ""
    channel: str = ""
    client: str = ""
    jti: Any = ""


@dataclass(frozen=True, slots=True)
class ServerSubscription:
    """A channel that a connection is subscribed to without subscribing.

    Its token says so, or we do. One that was `asked` for by the client when it connected is for
    those only who may subscribe by themselves.
    """

    info: bytes = b""
    data: bytes = b""
    override: Override | None = None
    asked: bool = False


class _ConnectionClaims(msgspec.Struct, frozen=True):
    channels: list[str] = []
    subs: dict[str, _Said | None] = {}


_subscription_claims = msgspec.json.Decoder(_SubscriptionClaims)


async def subscription_token(verifier: TokenVerifier, token: str) -> SubscriptionToken:
    """Read a subscription token.

    Raises `TokenExpired` if it was good once, `Unavailable` while nobody can say, and
    `Unauthenticated` for anything else.
    """
    signed = await verifier.claims(token)
    try:
        claims = _subscription_claims.decode(signed.payload)
    except msgspec.DecodeError:
        raise _senseless() from None
    if not claims.channel:
        raise Unauthenticated("The token names no channel.")
    info, data = _payloads(claims)
    return SubscriptionToken(
        user_id=claims.sub,
        channel=claims.channel,
        client=claims.client,
        info=info,
        data=data,
        override=claims.override,
        expires_at=signed.expires_at,
        token_id=claims.jti if isinstance(claims.jti, str) else "",
    )


def server_subscriptions(principal: Principal) -> Mapping[str, ServerSubscription]:
    """The channels that an access token subscribes its connection to.

    Raises `Unauthenticated` if they make no sense.
    """
    given = principal.claims
    if given.get("channels") is None and given.get("subs") is None:
        return {}
    named = {name: given[name] for name in ("channels", "subs") if given.get(name) is not None}
    try:
        claims = msgspec.json.decode(msgspec.json.encode(named), type=_ConnectionClaims)
    except msgspec.DecodeError:
        raise _senseless() from None
    wanted = {channel: ServerSubscription() for channel in claims.channels}
    for channel, said in claims.subs.items():
        if said is None:
            wanted[channel] = ServerSubscription()
        else:
            wanted[channel] = ServerSubscription(*_payloads(said), said.override)
    return wanted


def payload_of(raw: msgspec.Raw, in_base64: str) -> bytes:
    """A payload given as JSON, or as JSON text in base 64. Raises `ValueError` if it is neither."""
    if in_base64:
        try:
            payload = b64decode(in_base64, validate=True)
        except binascii.Error:
            raise ValueError("must be in base 64") from None
    else:
        payload = bytes(raw)
    if payload in (b"", b"null"):
        return b""
    if not is_payload(payload):
        raise ValueError("must be JSON text")
    return payload


def _payloads(said: _Said) -> tuple[bytes, bytes]:
    try:
        return payload_of(said.info, said.b64info), payload_of(said.data, said.b64data)
    except ValueError:
        raise _senseless() from None


def _senseless() -> Unauthenticated:
    return Unauthenticated("The token holds claims that make no sense.")
