"""Which lanes have something to do: one reading statement, a seek in the index for each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.notices import Urgency
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.tables import WAITING
from notifications.types import Route


async def waiting(connection: AsyncConnection, now: datetime) -> Sequence[tuple[Route, Urgency]]:
    """Routes and classes of pushes that are due."""
    rows = await connection.execute(_WAITING, {"at": now})
    return [(Route(row.route), Urgency(row.urgency)) for row in rows]


def _lane(route: Route, urgency: Urgency) -> Any:
    due = sa.exists().where(
        sa.text(WAITING),
        PUSHES.c.route == route,
        PUSHES.c.urgency == urgency,
        PUSHES.c.due_at <= sa.bindparam("at", type_=PUSHES.c.due_at.type),
    )
    return sa.select(
        sa.literal_column(f"'{route}'").label("route"),
        sa.literal_column(f"'{urgency}'").label("urgency"),
    ).where(due)


_WAITING = sa.union_all(*(_lane(route, urgency) for route in Route for urgency in Urgency))
