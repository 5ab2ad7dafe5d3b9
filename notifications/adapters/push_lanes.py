"""Which lanes have something to do: one reading statement, a seek in the index for each."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.notices import Urgency
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.tables import WAITING
from notifications.types import Route

_APPS_AT_ONCE = 32
"""SQLite joins 500 selects at most, and an app has one for each of its lanes."""


async def waiting(
    connection: AsyncConnection, app_ids: Sequence[str], now: datetime
) -> Sequence[tuple[str, Route, Urgency]]:
    """The apps, routes and classes of pushes that are due."""
    found: list[tuple[str, Route, Urgency]] = []
    for start in range(0, len(app_ids), _APPS_AT_ONCE):
        some = app_ids[start : start + _APPS_AT_ONCE]
        given = {f"app_{number}": app_id for number, app_id in enumerate(some)}
        rows = await connection.execute(_waiting(len(some)), {**given, "at": now})
        found += [(some[row.number], Route(row.route), Urgency(row.urgency)) for row in rows]
    return found


# Building it takes longer than running it; how many apps there are seldom changes.
@lru_cache(maxsize=16)
def _waiting(apps: int) -> Any:
    lanes = [(app, route, urgency) for app in range(apps) for route in Route for urgency in Urgency]
    return sa.union_all(*(_lane(*each) for each in lanes))


def _lane(app: int, route: Route, urgency: Urgency) -> Any:
    due = sa.exists().where(
        sa.text(WAITING),
        PUSHES.c.app_id == sa.bindparam(f"app_{app}"),
        PUSHES.c.route == route,
        PUSHES.c.urgency == urgency,
        PUSHES.c.due_at <= sa.bindparam("at", type_=PUSHES.c.due_at.type),
    )
    return sa.select(
        sa.literal_column(str(app)).label("number"),
        sa.literal_column(f"'{route}'").label("route"),
        sa.literal_column(f"'{urgency}'").label("urgency"),
    ).where(due)
