"""Cursors of listings that are in order of an instant and, within it, of a key."""

from datetime import datetime
from uuid import UUID

from kernel.errors import InvalidInput
from kernel.paging import cursor_of, parts_of


def place_cursor(at: datetime, key: UUID) -> str:
    """Where a listing in order of an instant goes on."""
    return cursor_of(at.isoformat(), str(key))


def place_of(cursor: str) -> tuple[datetime, UUID]:
    """What such a cursor says. Raises `InvalidInput` for any other text."""
    at, key = parts_of(cursor, 2)
    try:
        place = datetime.fromisoformat(at), UUID(key)
    except ValueError:
        raise InvalidInput("cursor", "is not one that this listing gave") from None
    if place[0].tzinfo is None:
        raise InvalidInput("cursor", "is not one that this listing gave")
    return place
