"""Pages of a listing and the opaque cursors between them. Pure."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from kernel.errors import InvalidInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where the next ones begin; no `cursor` means there are no more."""

    items: Sequence[T]
    cursor: str | None = None


def cursor_of(*parts: str) -> str:
    """An opaque cursor that holds `parts`."""
    return base64.urlsafe_b64encode("\x1f".join(parts).encode()).decode().rstrip("=")


def parts_of(cursor: str, count: int) -> tuple[str, ...]:
    """What a cursor of ours holds. Raises `InvalidInput` for any other text."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise InvalidInput("cursor", "is not one that this listing gave") from None
    parts = tuple(text.split("\x1f"))
    # Decoding is lenient, so that other texts mean the same: only what we wrote passes.
    if len(parts) != count or cursor_of(*parts) != cursor:
        raise InvalidInput("cursor", "is not one that this listing gave")
    return parts


def id_in(cursor: str) -> UUID:
    """The id that a cursor of ours holds. Raises `InvalidInput` for any other text."""
    (text,) = parts_of(cursor, 1)
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput("cursor", "is not one that this listing gave") from None
