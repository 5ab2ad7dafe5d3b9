"""Signatures as standardwebhooks.com has them, so that its libraries verify ours. Pure."""

import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

PREFIX = "whsec_"
_SECRET_BYTES = 32


def make_secret() -> str:
    """A new secret, as the receiver is given it."""
    return PREFIX + b64encode(os.urandom(_SECRET_BYTES)).decode()


def signed_headers(
    secrets: Sequence[str], delivery_id: UUID, body: bytes, *, now: datetime
) -> dict[str, str]:
    """The headers that prove who sends `body`, when, and under which id.

    One signature for each secret: while one replaces another, receivers may know either.
    """
    timestamp = str(int(now.timestamp()))
    said = f"{delivery_id}.{timestamp}.".encode() + body
    signatures = (b64encode(hmac.digest(_key(each), said, "sha256")).decode() for each in secrets)
    return {
        "webhook-id": str(delivery_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix(PREFIX))
