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
    return new_ids(now, 1)[0]


def new_ids(now: datetime, number: int) -> list[UUID]:
    """So many of them; asking for their random bits one by one is half of what they cost."""
    millis = (now - _EPOCH) // timedelta(milliseconds=1)
    head = (millis & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | 0x2 << 62
    random = os.urandom(10 * number)
    return [
        UUID(int=head | int.from_bytes(random[at : at + 10], "big") & _RANDOM)
        for at in range(0, len(random), 10)
    ]


_RANDOM = (1 << 80) - 1 - (0xF << 76) - (0x3 << 62)
"""All bits that are random: what is not the instant, the version or the variant."""


def is_user_id(text: str) -> bool:
    """Whether `text` can name a user: not empty, not too long, printable, no white space."""
    return (
        0 < len(text) <= USER_ID_BYTES
        # Of all white space, only the plain blank counts as printable.
        and text.isprintable()
        and " " not in text
        and len(text.encode("utf-8", "surrogatepass")) <= USER_ID_BYTES
    )
