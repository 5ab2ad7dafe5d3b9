"""Taking entries out of the outbox: a statement that leaves to others what they hold."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Instant, table_of
from kernel.adapters.driver import fetch
from kernel.adapters.tables import OutboxRow

OUTBOX = table_of(OutboxRow)

WAITING = sa.and_(OUTBOX.c.settled_at.is_(None), OUTBOX.c.buried_at.is_(None))

Rows = Sequence[Sequence[Any]]
"""Of each entry taken: due_at, id, kind, payload, attempts, created_at, fence."""


async def _claim_on_sqlite(
    connection: AsyncConnection, kinds: Sequence[str], now: datetime, until: datetime, limit: int
) -> Rows:
    taken = {"kinds": list(kinds), "now": now, "until": until, "limit": limit}
    return (await connection.execute(_CLAIM_ON_SQLITE, taken)).all()


_NOW = sa.bindparam("now", type_=Instant())
_CLAIM_ON_SQLITE = (
    OUTBOX.update()
    .where(
        OUTBOX.c.id.in_(
            sa.select(OUTBOX.c.id)
            .where(
                WAITING,
                OUTBOX.c.due_at <= _NOW,
                OUTBOX.c.kind.in_(sa.bindparam("kinds", expanding=True)),
                sa.or_(OUTBOX.c.leased_until.is_(None), OUTBOX.c.leased_until <= _NOW),
            )
            .order_by(OUTBOX.c.due_at, OUTBOX.c.id)
            .limit(sa.bindparam("limit", type_=sa.Integer()))
        )
    )
    .values(
        leased_until=sa.bindparam("until", type_=Instant()),
        fence=OUTBOX.c.fence + 1,
        attempts=OUTBOX.c.attempts + 1,
    )
    .returning(
        OUTBOX.c.due_at,
        OUTBOX.c.id,
        OUTBOX.c.kind,
        OUTBOX.c.payload,
        OUTBOX.c.attempts,
        OUTBOX.c.created_at,
        OUTBOX.c.fence,
    )
)


async def _claim_on_postgresql(
    connection: AsyncConnection, kinds: Sequence[str], now: datetime, until: datetime, limit: int
) -> Rows:
    return await fetch(connection, _CLAIM_ON_POSTGRESQL, (list(kinds), now, until, limit))


_CLAIM_ON_POSTGRESQL = """
    WITH due AS MATERIALIZED (
        SELECT id FROM outbox
        WHERE settled_at IS NULL AND buried_at IS NULL AND due_at <= $2
          AND kind = ANY ($1::text[]) AND (leased_until IS NULL OR leased_until <= $2)
        ORDER BY due_at, id LIMIT $4
        FOR UPDATE SKIP LOCKED
    )
    UPDATE outbox SET leased_until = $3, fence = fence + 1, attempts = attempts + 1
    WHERE id IN (SELECT id FROM due)
    RETURNING due_at, id, kind, payload, attempts, created_at, fence
"""

CLAIM: Mapping[
    str,
    Callable[[AsyncConnection, Sequence[str], datetime, datetime, int], Awaitable[Rows]],
] = {"sqlite": _claim_on_sqlite, "postgresql": _claim_on_postgresql}
"""By the name of the dialect: takes up to so many due entries of some kinds until an instant."""
