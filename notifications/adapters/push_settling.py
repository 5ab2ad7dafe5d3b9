"""What became of held pushes, written down: a fence decides who may."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import table_of
from notifications.adapters.batches import storable
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.tables import SENDING, AttemptRow
from notifications.pushes import FINAL, Settlement
from notifications.types import UNSENT, Verdict

ATTEMPTS = table_of(AttemptRow)


async def write_settlements(
    connection: AsyncConnection, settlements: Sequence[Settlement], now: datetime
) -> frozenset[UUID]:
    """Settle in the transaction of `connection`; the ids of those that still were held."""
    rows = [_values(each, now) for each in settlements]
    return frozenset(await _WRITE[connection.dialect.name](connection, rows))


_NAMES = (
    "push_id",
    "held_by",
    "number",
    "new_state",
    "new_due_at",
    "was_unsent",
    "was_ambiguous",
    "ended_at",
    "verdict",
    "reason",
    "provider_id",
    "started_at",
    "settled_at",
)


def _values(each: Settlement, now: datetime) -> tuple[Any, ...]:
    """Those of `_NAMES`."""
    push, outcome = each.push, each.outcome
    return (
        push.id,
        push.fence,
        push.number,
        each.state.value,
        each.due_at,
        int(outcome.verdict in UNSENT),
        int(outcome.verdict is Verdict.AMBIGUOUS),
        now if each.state in FINAL else None,
        outcome.verdict.value,
        storable(outcome.reason),
        storable(outcome.provider_id, length=255),
        push.started_at,
        now,
    )


async def _write_on_sqlite(
    connection: AsyncConnection, settled: Sequence[tuple[Any, ...]]
) -> list[UUID]:
    rows = [dict(zip(_NAMES, values, strict=True)) for values in settled]
    ids = [row["push_id"] for row in rows]
    found = await connection.execute(_HOLDING, {"ids": ids})
    fences = {row.id: row.fence for row in found}
    held = [row for row in rows if fences.get(row["push_id"]) == row["held_by"]]
    if held:
        await connection.execute(_SETTLE, held)
        await connection.execute(_ATTEMPTED, held)
    return [row["push_id"] for row in held]


async def _write_on_postgresql(
    connection: AsyncConnection, settled: Sequence[tuple[Any, ...]]
) -> list[UUID]:
    """One statement with an array for each column, however many they are."""
    if not settled:
        return []
    ordered = sorted(settled, key=lambda values: values[0].int)
    arrays = dict(zip(_NAMES, map(list, zip(*ordered, strict=True)), strict=True))
    return list((await connection.execute(_ALL, arrays)).scalars())


_WRITE: Mapping[
    str, Callable[[AsyncConnection, Sequence[tuple[Any, ...]]], Awaitable[list[UUID]]]
] = {"sqlite": _write_on_sqlite, "postgresql": _write_on_postgresql}

# Statements are built once: SQLAlchemy takes longer to build one than the database to run it.

_HOLDING = sa.select(PUSHES.c.id, PUSHES.c.fence).where(
    PUSHES.c.id.in_(sa.bindparam("ids", expanding=True)), sa.text(SENDING)
)

_SETTLE = (
    PUSHES.update()
    .where(PUSHES.c.id == sa.bindparam("push_id"))
    .values(
        state=sa.bindparam("new_state"),
        reason=sa.bindparam("reason"),
        due_at=sa.func.coalesce(
            sa.bindparam("new_due_at", type_=PUSHES.c.due_at.type), PUSHES.c.due_at
        ),
        unsent=PUSHES.c.unsent + sa.bindparam("was_unsent"),
        ambiguous=PUSHES.c.ambiguous + sa.bindparam("was_ambiguous"),
        settled_at=sa.bindparam("ended_at", type_=PUSHES.c.settled_at.type),
        leased_until=None,
    )
)

_ATTEMPTED = ATTEMPTS.insert().values(
    {column.name: sa.bindparam(column.name, type_=column.type) for column in ATTEMPTS.columns}
)

# Rows are locked in the order that was given, so that two settlements never block each other, and
# each is found by its id: the index of what is being sent is full of what no longer is.
_ALL = sa.text("""
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:push_id AS uuid[]), CAST(:held_by AS bigint[]), CAST(:number AS integer[]),
            CAST(:new_state AS text[]), CAST(:new_due_at AS timestamptz[]),
            CAST(:was_unsent AS integer[]), CAST(:was_ambiguous AS integer[]),
            CAST(:ended_at AS timestamptz[]), CAST(:verdict AS text[]), CAST(:reason AS text[]),
            CAST(:provider_id AS text[]), CAST(:started_at AS timestamptz[]),
            CAST(:settled_at AS timestamptz[])
        ) AS given (push_id, held_by, number, new_state, new_due_at, was_unsent, was_ambiguous,
            ended_at, verdict, reason, provider_id, started_at, settled_at)
    ), held AS MATERIALIZED (
        SELECT mine.id FROM given CROSS JOIN LATERAL (
            SELECT id FROM pushes WHERE id = push_id AND fence = held_by AND state = 'sending'
            FOR UPDATE
        ) AS mine
    ), settled AS (
        UPDATE pushes SET state = new_state, reason = given.reason,
            due_at = coalesce(new_due_at, pushes.due_at), unsent = pushes.unsent + was_unsent,
            ambiguous = pushes.ambiguous + was_ambiguous, settled_at = ended_at,
            leased_until = NULL
        FROM given JOIN held ON held.id = push_id WHERE pushes.id = held.id
        RETURNING pushes.id
    )
    INSERT INTO attempts (push_id, number, verdict, reason, provider_id, started_at, settled_at)
    SELECT push_id, number, verdict, reason, provider_id, started_at, settled_at
    FROM given JOIN settled ON settled.id = push_id
    RETURNING push_id
""")
