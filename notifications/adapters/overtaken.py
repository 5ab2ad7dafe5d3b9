"""Pushes of busy threads that are tried again after something newer was told.

A push whose dispatcher died is due again after a minute or more. Sent then, it would take the
place of what the device shows by now, and the user would see the older message.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import AMONG
from kernel.adapters.database import table_of
from notifications.adapters.push_rows import NOTIFICATIONS, PUSHES
from notifications.adapters.thread_tables import ToldRow
from notifications.pushes import PushState

_TOLD = table_of(ToldRow)
_LATEST = PUSHES.alias("latest")


async def overtaken(
    connection: AsyncConnection, rows: Sequence[Any], *, now: datetime
) -> frozenset[UUID]:
    """Those of the claimed rows after which a later push of their thread left, or is due."""
    again = [row.id for row in rows if row.attempts > 1]
    if not again:
        return frozenset()
    statement = _OVERTAKEN[connection.dialect.name]
    found = await connection.execute(statement, {"ids": again, "at": now})
    return frozenset(found.scalars())


_LEFT = sa.or_(
    _LATEST.c.attempts > 0,
    _LATEST.c.state != PushState.QUEUED,
    _LATEST.c.due_at <= sa.bindparam("at", type_=PUSHES.c.due_at.type),
    # It waits, but what left before it is later than this as well.
    _TOLD.c.before_id != PUSHES.c.id,
)

# Built once: SQLAlchemy takes longer to build a statement than the database to run it.
_OVERTAKEN = {
    dialect: sa.select(PUSHES.c.id)
    .join(NOTIFICATIONS, NOTIFICATIONS.c.id == PUSHES.c.notification_id)
    .join(
        _TOLD,
        sa.and_(
            _TOLD.c.user_id == PUSHES.c.user_id,
            _TOLD.c.device_id == PUSHES.c.device_id,
            _TOLD.c.thread == NOTIFICATIONS.c.thread,
            _TOLD.c.notices > 0,
            _TOLD.c.push_id != PUSHES.c.id,
        ),
    )
    # Only what has the same key would take its place on the device.
    .join(
        _LATEST,
        sa.and_(_LATEST.c.id == _TOLD.c.push_id, _LATEST.c.collapse_key == PUSHES.c.collapse_key),
    )
    .where(is_among(PUSHES.c.id, "ids"), _LEFT)
    for dialect, is_among in AMONG.items()
}
