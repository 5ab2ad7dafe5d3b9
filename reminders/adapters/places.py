"""Pages of listings that are in order of an instant and, within it, of a key."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa

from kernel.errors import InvalidInput
from kernel.paging import Page, cursor_of, parts_of
from reminders.adapters.mapping import Selected

T = TypeVar("T")


def one_page(
    query: sa.Select[Any],
    at: sa.Column[datetime],
    key: sa.Column[UUID],
    *,
    cursor: str | None,
    limit: int,
    last_first: bool = False,
) -> sa.Select[Any]:
    """A page of what is selected, in order of `at` and `key`; one row more says that there are
    more."""
    page = query.order_by(*((at.desc(), key.desc()) if last_first else (at, key)))
    if cursor is not None:
        place, last = place_of(cursor)
        beyond = (at < place, key < last) if last_first else (at > place, key > last)
        page = page.where(sa.or_(beyond[0], sa.and_(at == place, beyond[1])))
    return page.limit(limit + 1)


def page_of(
    rows: Sequence[Selected], value: Callable[[Selected], T], *, at: str, limit: int
) -> Page[T]:
    """The values of a page's rows, and where the listing goes on after them."""
    shown = rows[:limit]
    more = len(rows) > limit
    cursor = cursor_of(getattr(shown[-1], at).isoformat(), str(shown[-1].id)) if more else None
    return Page([value(row) for row in shown], cursor)


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
