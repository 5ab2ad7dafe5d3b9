"""Removing firings that wait: those whose time has come are put on record, so none goes in silence.

A paused class or an outage lets firings wait beyond their time, and meanwhile a plan may change.
What is planned again is taken off the record and waits again, however late.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import AMONG
from reminders.adapters.mapping import FIRINGS, LOG, Selected
from reminders.firing import Outcome
from reminders.handover import PLANNED_OTHERWISE

SUPERSEDED = LOG.c.outcome == str(Outcome.SUPERSEDED)

_KEPT = [name for name in LOG.c.keys() if name in FIRINGS.c]  # noqa: SIM118
_RECORD = {
    name: dialect.insert(LOG).on_conflict_do_nothing()
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
_REVIVE = {
    dialect: LOG.delete().where(
        is_among(LOG.c.event_id, "events"), is_among(LOG.c.dedupe_key, "keys"), SUPERSEDED
    )
    for dialect, is_among in AMONG.items()
}


async def remove(
    connection: AsyncConnection, where: Sequence[sa.ColumnElement[bool]], now: datetime
) -> Sequence[Selected]:
    """Remove the firings that are like that; they are returned.

    First removed and then recorded: whoever has one in hand is waited for, and records it.
    """
    removing = FIRINGS.delete().where(*where).returning(*(FIRINGS.c[name] for name in _KEPT))
    removed = list(await connection.execute(removing))
    come = [
        {
            **{name: getattr(row, name) for name in _KEPT},
            "decided_at": now,
            "outcome": str(Outcome.SUPERSEDED),
            "reason": PLANNED_OTHERWISE,
        }
        for row in removed
        if row.due_at <= now
    ]
    if come:
        await connection.execute(_RECORD[connection.dialect.name], come)
    return removed


async def revive(
    connection: AsyncConnection, event_ids: Sequence[UUID], keys: Sequence[bytes]
) -> None:
    """Take off the record what was superseded, and is planned again."""
    named = {"events": list(event_ids), "keys": list(keys)}
    await connection.execute(_REVIVE[connection.dialect.name], named)
