"""Identifiers: users are named by the application, everything else by a UUIDv7 of ours."""

import os
from datetime import UTC, datetime, timedelta
from typing import NewType
from uuid import UUID

UserId = NewType("UserId", str)
"""The application's own name for a person: 1 to 128 bytes of UTF-8, see `is_user_id`."""

USER_ID_BYTES = 128

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562, 5.7): the instant in milliseconds, then 74 random bits.

    Ids of a later millisecond sort later, so primary keys are appended to an index, not
    scattered in it.
    """
    millis = (now - _EPOCH) // timedelta(milliseconds=1)
    value = (millis & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def is_user_id(text: str) -> bool:
    """Whether `text` can name a user: not empty, not too long, printable, no white space."""
    return (
        0 < len(text) <= USER_ID_BYTES
        # Of all white space, only the plain blank counts as printable.
        and text.isprintable()
        and " " not in text
        and len(text.encode("utf-8", "surrogatepass")) <= USER_ID_BYTES
    )
