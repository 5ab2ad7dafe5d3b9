"""Actions to columns and back."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from reminders.action import Acted, ActionKind, ActionOutcome
from reminders.adapters.action_tables import ActionRow
from reminders.errors import ActedAlready

ACTIONS = table_of(ActionRow)


async def write_acted(database: Database, connection: AsyncConnection, acted: Acted) -> None:
    """Write an action. Raises `ActedAlready` for the id of one that was taken before."""
    new = database.insert_new(ACTIONS, on=["user_id", "action_id"]).values(
        user_id=acted.user_id,
        action_id=acted.action_id,
        kind=str(acted.kind),
        firing=acted.firing,
        event_id=acted.event_id,
        task_id=acted.task_id,
        outcome=str(acted.outcome),
        asked_at=acted.asked_at,
        acted_at=acted.acted_at,
        until=acted.until,
    )
    if (await connection.execute(new)).rowcount == 0:
        raise ActedAlready("This action was taken already.")


async def read_acted(connection: AsyncConnection, user_id: UserId, action_id: UUID) -> Acted | None:
    """The user's action with this id."""
    query = sa.select(ACTIONS).where(ACTIONS.c.user_id == user_id, ACTIONS.c.action_id == action_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Acted(
        user_id=UserId(row.user_id),
        action_id=row.action_id,
        kind=ActionKind(row.kind),
        firing=row.firing,
        event_id=row.event_id,
        task_id=row.task_id,
        outcome=ActionOutcome(row.outcome),
        asked_at=row.asked_at,
        acted_at=row.acted_at,
        until=row.until,
    )


async def forget_acted(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete actions that were taken before an instant; how many."""
    key = sa.tuple_(ACTIONS.c.user_id, ACTIONS.c.action_id)
    old = (
        sa.select(ACTIONS.c.user_id, ACTIONS.c.action_id)
        .where(ACTIONS.c.acted_at < before)
        .order_by(ACTIONS.c.acted_at)
        .limit(limit)
    )
    return (await connection.execute(ACTIONS.delete().where(key.in_(old)))).rowcount
