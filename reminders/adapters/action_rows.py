"""Actions, and what is acted on together, to columns and back."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from reminders.action import Acted, Actionable, ActionKind, ActionOutcome
from reminders.adapters.action_tables import ActionRow, ToldTogetherRow
from reminders.adapters.forgotten import oldest
from reminders.errors import ActedAlready
from reminders.firing import Firing

ACTIONS = table_of(ActionRow)
TOGETHER = table_of(ToldTogetherRow)


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
    """Delete actions that were taken before an instant, and what was told together; how many."""
    acted = oldest(ACTIONS, ACTIONS.c.acted_at, before=before, limit=limit)
    told = oldest(TOGETHER, TOGETHER.c.told_at, before=before, limit=limit)
    count = (await connection.execute(acted)).rowcount
    return count + (await connection.execute(told)).rowcount


async def write_together(
    database: Database,
    connection: AsyncConnection,
    groups: Sequence[Sequence[Firing]],
    now: datetime,
) -> None:
    """Write which firings were told in one; doing so again changes nothing."""
    rows = [
        {
            "first_key": firings[0].dedupe_key,
            "dedupe_key": each.dedupe_key,
            "user_id": each.user_id,
            "event_id": each.event_id,
            "task_id": each.task_id,
            "nominal_day": each.nominal_day,
            "told_at": now,
        }
        for firings in groups
        for each in firings
    ]
    if rows:
        new = database.insert_new(TOGETHER, on=["first_key", "dedupe_key"])
        await connection.execute(new, rows)


async def read_together(
    connection: AsyncConnection, user_id: UserId, first_key: bytes
) -> Sequence[Actionable]:
    """What was told a user in one, under the key of the first."""
    query = (
        sa.select(TOGETHER)
        .where(TOGETHER.c.first_key == first_key, TOGETHER.c.user_id == user_id)
        .order_by(TOGETHER.c.event_id, TOGETHER.c.dedupe_key)
    )
    return [
        Actionable(row.dedupe_key, row.event_id, row.task_id, row.nominal_day)
        for row in await connection.execute(query)
    ]
