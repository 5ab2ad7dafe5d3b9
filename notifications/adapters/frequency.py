"""How much marketing users were told lately, from the pushes themselves."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.ids import UserId
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.tables import TOLD_MARKETING

Lately = dict[tuple[UserId, str], dict[UUID, datetime]]
"""By user and category: the notifications, and when a provider last took a push for each."""


async def told_since(
    connection: AsyncConnection, users: Collection[UserId], since: datetime
) -> Lately:
    """What these users were told since then: on several devices is told once."""
    last = sa.func.max(PUSHES.c.settled_at, type_=PUSHES.c.settled_at.type)
    wanted = (
        sa.select(
            PUSHES.c.user_id, PUSHES.c.category, PUSHES.c.notification_id, last.label("told_at")
        )
        .where(
            # Literally, so that the plan of a prepared statement may use the partial index.
            sa.text(TOLD_MARKETING),
            among(connection, PUSHES.c.user_id, sorted(users)),
            PUSHES.c.settled_at > since,
        )
        .group_by(PUSHES.c.user_id, PUSHES.c.category, PUSHES.c.notification_id)
    )
    told: dict[tuple[UserId, str], dict[UUID, datetime]] = defaultdict(dict)
    for row in await connection.execute(wanted):
        told[UserId(row.user_id), row.category][row.notification_id] = row.told_at
    return told
