"""What waits in the outbox, counted at a price that does not grow with it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Instant
from kernel.adapters.outbox_claims import OUTBOX, WAITING
from kernel.outbox import LOOK, Backlog

_NOW = sa.bindparam("now", type_=Instant())


def _as_many(of: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((of, 1), else_=0))


def _number_of(first: sa.Column[Any], *those: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    # In the order of an index, so that it is that which is read.
    some = sa.select(first).where(*those).order_by(first).limit(LOOK).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()


_LONGEST = (
    sa.select(OUTBOX.c.kind, OUTBOX.c.due_at, OUTBOX.c.leased_until)
    .where(WAITING, OUTBOX.c.due_at <= _NOW)
    .order_by(OUTBOX.c.due_at, OUTBOX.c.id)
    .limit(LOOK)
    .subquery()
)
_DUE = sa.select(
    _LONGEST.c.kind,
    sa.func.min(_LONGEST.c.due_at).label("due_at"),
    _as_many(_LONGEST.c.leased_until.is_(None)).label("ready"),
    _as_many(_LONGEST.c.leased_until > _NOW).label("leased"),
    _as_many(_LONGEST.c.leased_until <= _NOW).label("abandoned"),
).group_by(_LONGEST.c.kind)
_OTHERS = sa.select(
    _number_of(OUTBOX.c.due_at, WAITING, OUTBOX.c.due_at > _NOW),
    _number_of(OUTBOX.c.buried_at, OUTBOX.c.buried_at.is_not(None)),
)


async def backlog_of(connection: AsyncConnection, now: datetime) -> Backlog:
    """Of what is due no more than `LOOK` entries are looked at, and no more of the others."""
    due = list(await connection.execute(_DUE, {"now": now}))
    later, buried = (await connection.execute(_OTHERS, {"now": now})).one()
    return Backlog(
        ages={row.kind: (now - row.due_at).total_seconds() for row in due},
        ready=sum(row.ready for row in due),
        leased=sum(row.leased for row in due),
        abandoned=sum(row.abandoned for row in due),
        later=later,
        buried=buried,
    )
