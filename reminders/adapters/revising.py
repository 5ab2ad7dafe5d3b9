"""What goes with every change in an event: it has another version, and its plan may be wrong."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from reminders.adapters.mapping import EVENTS, MARKS

_REVISE = (
    EVENTS.update()
    .where(EVENTS.c.id == sa.bindparam("of_event"))
    .values(revision=sa.bindparam("version"), changed_at=sa.bindparam("now"))
)
_MARKING = MARKS.insert().values(event_id=sa.bindparam("of_event"), marked_at=sa.bindparam("now"))

_REVISING: Mapping[str, Sequence[sa.Executable]] = {
    "postgresql": [_REVISE.add_cte(_MARKING.cte("marking"))],
    # It knows no writing within a statement, and a trip to it is short.
    "sqlite": [_REVISE, _MARKING],
}


async def revise(connection: AsyncConnection, event_id: UUID, version: int, now: datetime) -> None:
    """Give the event another version, for whoever keeps what it said, and have its plan made
    again. The caller holds the event, and so knows which version is next."""
    values = {"of_event": event_id, "version": version, "now": now}
    for statement in _REVISING[connection.dialect.name]:
        await connection.execute(statement, values)
