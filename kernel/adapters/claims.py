"""What a token says, as the application wrote it: read here, judged elsewhere."""

from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import msgspec

from kernel.errors import Unauthenticated


class Said(msgspec.Struct):
    """The claims that mean something to us."""

    sub: str = ""
    exp: int | float | None = None
    nbf: int | float | None = None
    iat: int | float | None = None
    expire_at: int | None = None
    aud: str | list[str] = ""
    iss: str | None = None
    info: msgspec.Raw = msgspec.Raw(b"")
    b64info: str = ""
    channel: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


said_in = msgspec.json.Decoder(Said).decode
"""The claims in a payload. Raises `msgspec.DecodeError` where they make no sense."""

everything_in = msgspec.json.Decoder(dict[str, Any]).decode
"""All claims, also those that mean something to others only."""


def info_in(claims: Said) -> bytes | None:
    """What the application wants others to see: JSON, or JSON text in base 64."""
    info = bytes(claims.info)
    if claims.b64info:
        try:
            info = b64decode(claims.b64info, validate=True)
            msgspec.json.decode(info, type=msgspec.Raw)
            info.decode()
        except ValueError:
            raise Unauthenticated("The access token's b64info holds no JSON.") from None
    return None if info in (b"", b"null") else info


def expiry_in(claims: Said, ends: datetime | None) -> datetime | None:
    """When a connection made with the token must be refreshed: `expire_at`, or else `exp`."""
    if claims.expire_at is None:
        return ends
    return instant_of(claims.expire_at) if claims.expire_at else None


def instant_of(seconds: float) -> datetime:
    """An instant as claims tell it."""
    return datetime.fromtimestamp(seconds, UTC)
