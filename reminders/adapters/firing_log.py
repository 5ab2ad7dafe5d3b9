"""What became of one user's firings about a task, and which notices may have told them.

A notice that tells several is named after the first of them, and the log does not say which
that was: it is among those that went off for the user at about the same time.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.ids import UserId
from reminders.adapters.firing_columns import settled_of
from reminders.adapters.guest_columns import GUESTS
from reminders.adapters.mapping import LOG, MEMBERS, TASKS, Selected
from reminders.adapters.sql_digests import ITEMS
from reminders.firing import Outcome, Settled
from reminders.identity import digest_key, notice_key, shared_notice_key
from reminders.saying import WITH_OTHERS

RECENT = 50
"""Firings of a task that are looked at, the last ones."""

_APART = timedelta(minutes=10)
"""What is told together went off within this, however the relay is behind."""


async def settled_about(
    connection: AsyncConnection, task_id: UUID, user_id: UserId
) -> Sequence[Settled]:
    """The last ones first."""
    # Without such a task or guest it is about the event itself.
    found = [
        sa.select(each.c.event_id).where(each.c.id == task_id).scalar_subquery()
        for each in (TASKS, GUESTS)
    ]
    event_id = sa.func.coalesce(*found, sa.literal(task_id, TASKS.c.id.type))
    query = (
        sa.select(LOG, ITEMS.c.told_at)
        .outerjoin(ITEMS, ITEMS.c.dedupe_key == LOG.c.dedupe_key)
        .where(LOG.c.event_id == event_id, LOG.c.task_id == task_id, LOG.c.user_id == user_id)
        .order_by(LOG.c.decided_at.desc(), LOG.c.due_at.desc())
        .limit(RECENT)
    )
    rows = list(await connection.execute(query))
    shared = [row for row in rows if _is_shared(row)]
    others = await _others(connection, user_id, shared) if shared else []
    return [replace(settled_of(row), notice_keys=_keys(row, others)) for row in rows]


async def _others(
    connection: AsyncConnection, user_id: UserId, rows: Sequence[Selected]
) -> Sequence[Selected]:
    """All that went off for the user around these."""
    events = sa.select(MEMBERS.c.event_id).where(MEMBERS.c.user_id == user_id)
    times = [LOG.c.decided_at.between(r.decided_at - _APART, r.decided_at + _APART) for r in rows]
    query = sa.select(LOG).where(
        LOG.c.user_id == user_id, LOG.c.event_id.in_(events), sa.or_(*times)
    )
    return [row for row in await connection.execute(query) if _is_shared(row)]


def _keys(row: Selected, others: Sequence[Selected]) -> tuple[str, ...]:
    if row.outcome not in (Outcome.FIRED, Outcome.FOLDED):
        return ()
    if row.told_at is not None:
        # On which day that was, the user's clock said.
        days = (row.told_at.date() + timedelta(days=each) for each in (-1, 0, 1))
        return tuple(digest_key(UserId(row.user_id), day) for day in days)
    if not _is_shared(row):
        return (notice_key(row.dedupe_key),)
    near = (each for each in others if abs(each.decided_at - row.decided_at) <= _APART)
    alike = [each for each in near if each.outcome == row.outcome and _is_same(each, row)]
    return tuple(shared_notice_key(each.dedupe_key) for each in alike)


def _is_shared(row: Selected) -> bool:
    return bool(row.outcome == Outcome.FOLDED or row.reason == WITH_OTHERS)


def _is_same(one: Selected, other: Selected) -> bool:
    """What is late is told whatever it is about; the rest by event and minute."""
    if other.outcome == Outcome.FOLDED:
        return True
    minutes = (each.due_at.replace(second=0, microsecond=0) for each in (one, other))
    return bool(one.event_id == other.event_id and len(set(minutes)) == 1)
