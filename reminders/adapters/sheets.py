"""What a decision about an event looks at, in few trips.

Whoever decides waits for each of them, and holds the event meanwhile. So their statements are
built once, too.
"""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from reminders.adapters.mapping import (
    EVENTS,
    MEMBERS,
    RULES,
    TASKS,
    Selected,
    event_of,
    member_of,
    rule_of,
    task_of,
)
from reminders.types import Sheet

_EVENT: sa.BindParameter[UUID] = sa.bindparam("event_id")
_TASK: sa.BindParameter[UUID | None] = sa.bindparam("task_id", type_=TASKS.c.id.type)

EVENT = sa.select(EVENTS).where(EVENTS.c.id == _EVENT)
HELD = EVENT.with_for_update(key_share=True)
"""The event, alone with whoever asks until their transaction ends."""

_MEMBERS = (
    sa.select(MEMBERS)
    .where(MEMBERS.c.event_id == _EVENT)
    .order_by(MEMBERS.c.joined_at, MEMBERS.c.user_id)
)
_ALL_RULES = sa.select(RULES).where(RULES.c.event_id == _EVENT).order_by(RULES.c.id)
_RULES = _ALL_RULES.where(sa.or_(RULES.c.task_id == _TASK, RULES.c.task_id.is_(None)))
_TASKS = sa.select(TASKS).where(TASKS.c.event_id == _EVENT)
_COUNTED = TASKS.alias("counted")
_COUNT = (
    sa.select(sa.func.count())
    .select_from(_COUNTED)
    .where(_COUNTED.c.event_id == _EVENT, _COUNTED.c.deleted_at.is_(None))
    .scalar_subquery()
)
_ALWAYS = sa.select(sa.literal_column("1").label("one")).subquery("always")
_COUNT_AND_TASK = sa.select(_COUNT.label("task_count"), TASKS).select_from(
    _ALWAYS.outerjoin(TASKS, sa.and_(TASKS.c.id == _TASK, TASKS.c.event_id == _EVENT))
)


async def sheet_of(
    connection: AsyncConnection,
    found: Selected,
    task_id: UUID | None,
    *,
    with_tasks: bool,
    others: int = 0,
) -> Sheet:
    """What is true about the event that was found and, if named and there, one task of it."""
    of_event = {"event_id": found.id}
    of_task = {**of_event, "task_id": task_id}
    counted = (await connection.execute(_COUNT_AND_TASK, of_task)).one()
    members = await connection.execute(_MEMBERS, of_event)
    rules = await (
        connection.execute(_ALL_RULES, of_event)
        if task_id is None
        else connection.execute(_RULES, of_task)
    )
    tasks = await connection.execute(_TASKS, of_event) if with_tasks else ()
    return Sheet(
        event=event_of(found),
        members=[member_of(row) for row in members],
        rules=[rule_of(row) for row in rules],
        task=None if counted.id is None else task_of(counted),
        task_count=counted.task_count,
        tasks=[task_of(row) for row in tasks],
        version=found.revision,
        others=others,
    )
