"""Which tasks a user sees, as a condition on rows: `reminders.sight` in SQL."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.ids import UserId
from reminders.adapters.mapping import MEMBERS, TASKS
from reminders.sight import PLANNING

_OWED: dict[str, sa.ColumnElement[str]] = {
    "sqlite": sa.func.json_extract(TASKS.c.details, "$.payment.vendor_id"),
    "postgresql": sa.cast(TASKS.c.details, sa.JSON)[("payment", "vendor_id")].as_string(),
}
"""Who is owed a task's payment, by dialect."""


def are_seen(connection: AsyncConnection, user_id: UserId) -> sa.ColumnElement[bool]:
    """Whether a user, who is in their event, sees the tasks."""
    whose = (TASKS.c.assignee_id, TASKS.c.created_by, _OWED[connection.dialect.name])
    return sa.exists().where(
        MEMBERS.c.event_id == TASKS.c.event_id,
        MEMBERS.c.user_id == user_id,
        sa.or_(MEMBERS.c.role.in_(PLANNING), *(each == user_id for each in whose)),
    )
