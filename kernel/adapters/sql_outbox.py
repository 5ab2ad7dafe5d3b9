"""The outbox in a table: `write_entries` for stores, `SqlOutbox` for the relay."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, Instant, microseconds, storable
from kernel.adapters.driver import run_many
from kernel.adapters.outbox_backlog import backlog_of
from kernel.adapters.outbox_claims import CLAIM, OUTBOX, WAITING
from kernel.adapters.plans import once
from kernel.clock import Clock
from kernel.outbox import RETENTION, Backlog, Claimed, Entry, Moved

_ERROR_CHARACTERS = 2_000
"""How much is kept of what an operator is told of a failed entry."""


async def write_entries(
    connection: AsyncConnection, entries: Sequence[Entry], now: datetime
) -> None:
    """Write entries in the transaction of `connection`: what a store does with its `then`.

    One statement, however many there are. An entry whose dedupe key was written before, here
    or elsewhere, is left out.
    """
    if entries:
        await _WRITE[connection.dialect.name](connection, entries, now)


class SqlOutbox:
    """Any number of relays may claim at once; on PostgreSQL none waits for another."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, entries: Sequence[Entry]) -> None:
        async with self._database.transaction() as connection:
            await write_entries(connection, entries, self._clock.now())

    async def claim(
        self, kinds: Sequence[str], *, now: datetime, lease: timedelta, limit: int
    ) -> list[Claimed]:
        async with self._database.single() as connection:
            rows = await CLAIM[connection.dialect.name](connection, kinds, now, now + lease, limit)
        # First what is due first.
        return [
            Claimed(id_, kind, payload.encode(), attempts, created_at, fence)
            for _, id_, kind, payload, attempts, created_at, fence in sorted(map(tuple, rows))
        ]

    async def settle(
        self, done: Sequence[Claimed], *, then: Sequence[Entry] = (), now: datetime
    ) -> int:
        try:
            async with self._database.transaction() as connection:
                settled = await _SETTLE[connection.dialect.name](connection, done, now)
                if settled != len(done):
                    raise _Lost
                await write_entries(connection, then, now)
        except _Lost:
            return 0
        return settled

    async def postpone(self, entry: Claimed, *, until: datetime | None, error: str) -> bool:
        statement = (
            OUTBOX.update()
            .where(OUTBOX.c.id == entry.id, _held(entry.fence))
            .values(error=storable(error)[:_ERROR_CHARACTERS], leased_until=None)
        )
        if until is None:
            statement = statement.values(buried_at=self._clock.now())
        else:
            statement = statement.values(due_at=until)
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def moved(self, after: int | None) -> Moved:
        async with self._database.reading() as connection:
            return await _MOVED[connection.dialect.name](connection, after)

    async def prune(self, *, now: datetime, limit: int) -> int:
        old = (
            sa.select(OUTBOX.c.id)
            .where(OUTBOX.c.settled_at < now - RETENTION)
            .order_by(OUTBOX.c.settled_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = OUTBOX.delete().where(OUTBOX.c.id.in_(old))
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount

    async def backlog(self, *, now: datetime) -> Backlog:
        async with self._database.reading() as connection:
            return await backlog_of(connection, now)


class _Lost(Exception):
    """Another relay holds an entry by now: the transaction must not be kept."""


def _held(fence: object) -> sa.ColumnElement[bool]:
    """Whether the taking with that fence still holds: neither retaken, given back nor done.

    A lease that ended but that nobody took over still holds.
    """
    return sa.and_(WAITING, OUTBOX.c.leased_until.is_not(None), OUTBOX.c.fence == fence)


# What follows are the statements that SQLite and PostgreSQL cannot share. Those of SQLAlchemy are
# built once: building a statement and finding its compiled form costs more than running it.


def insert_entries(connection: sqlite3.Connection, entries: Sequence[Entry], now: datetime) -> None:
    """`write_entries` for who is in SQLite's thread already."""
    connection.executemany(_INSERT_ON_SQLITE, _sqlite_rows(entries, now))


async def _write_on_sqlite(
    connection: AsyncConnection, entries: Sequence[Entry], now: datetime
) -> None:
    await run_many(connection, _INSERT_ON_SQLITE, _sqlite_rows(entries, now))


def _sqlite_rows(entries: Sequence[Entry], now: datetime) -> list[tuple[Any, ...]]:
    written_at = microseconds(now)
    return [
        (
            entry.kind,
            entry.payload.decode(),
            entry.dedupe_key,
            entry.channel,
            entry.offset,
            written_at,
            microseconds(entry.due_at) if entry.due_at else written_at,
        )
        for entry in entries
    ]


_INSERT_ON_SQLITE = """
    INSERT INTO outbox (kind, payload, dedupe_key, channel, "offset", created_at, due_at,
                        transaction_id, fence, attempts)
    VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0)
    ON CONFLICT (dedupe_key) DO NOTHING
"""


async def _write_on_postgresql(
    connection: AsyncConnection, entries: Sequence[Entry], now: datetime
) -> None:
    columns = {
        "kinds": [entry.kind for entry in entries],
        "payloads": [entry.payload.decode() for entry in entries],
        "dedupe_keys": [entry.dedupe_key for entry in entries],
        "channels": [entry.channel for entry in entries],
        "offsets": [entry.offset for entry in entries],
        "due_at": [entry.due_at or now for entry in entries],
    }
    await connection.execute(_INSERT_ON_POSTGRESQL, {**columns, "now": now})


_INSERT_ON_POSTGRESQL = sa.text("""
    INSERT INTO outbox (kind, payload, dedupe_key, channel, "offset", transaction_id,
                        created_at, due_at, fence, attempts)
    SELECT kind, payload, dedupe_key, channel, "offset", pg_current_xact_id()::text::bigint,
           CAST(:now AS timestamptz), due_at, 0, 0
    FROM unnest(CAST(:kinds AS text[]), CAST(:payloads AS text[]), CAST(:dedupe_keys AS text[]),
                CAST(:channels AS text[]), CAST(:offsets AS bigint[]),
                CAST(:due_at AS timestamptz[]))
         AS entry (kind, payload, dedupe_key, channel, "offset", due_at)
    ON CONFLICT (dedupe_key) DO NOTHING
""")


async def _settle_on_sqlite(
    connection: AsyncConnection, done: Sequence[Claimed], now: datetime
) -> int:
    pairs = [{"entry_id": entry.id, "held_fence": entry.fence, "now": now} for entry in done]
    return (await connection.execute(_SETTLE_ON_SQLITE, pairs)).rowcount if pairs else 0


_SETTLE_ON_SQLITE = (
    OUTBOX.update()
    .where(OUTBOX.c.id == sa.bindparam("entry_id"), _held(sa.bindparam("held_fence")))
    .values(settled_at=sa.bindparam("now", type_=Instant()))
)


async def _settle_on_postgresql(
    connection: AsyncConnection, done: Sequence[Claimed], now: datetime
) -> int:
    held = {
        "ids": [entry.id for entry in done],
        "fences": [entry.fence for entry in done],
        "now": now,
        "once": 1,
    }
    return (await connection.execute(_SETTLE_ON_POSTGRESQL, held)).rowcount


# Put so that the index of waiting entries does not fit: PostgreSQL takes what is in there for a
# handful, prefers it to the ids, and reads all of it, with what was settled since the last vacuum.
_HELD = """
    WITH held AS MATERIALIZED (
        SELECT id, fence
        FROM {once}
        CROSS JOIN unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[])) AS held (id, fence)
    )
    UPDATE outbox SET settled_at = CAST(:now AS timestamptz)
    FROM held
    WHERE outbox.id = held.id AND outbox.fence = held.fence AND outbox.leased_until IS NOT NULL
      AND COALESCE(outbox.settled_at, outbox.buried_at) IS NULL
"""
_SETTLE_ON_POSTGRESQL = sa.text(_HELD.format(once=once(":once")))


async def _moved_on_sqlite(connection: AsyncConnection, after: int | None) -> Moved:
    """The cursor is the highest row id: with one writer, ids are committed in their order."""
    # Both statements see one snapshot: on SQLite, reading is a transaction.
    top = (await connection.execute(sa.select(sa.func.max(OUTBOX.c.id)))).scalar_one() or 0
    if after is None:
        return Moved(top, {})
    statement = (
        sa.select(OUTBOX.c.channel, sa.func.max(OUTBOX.c.offset).label("top"))
        .where(OUTBOX.c.id > after, OUTBOX.c.channel != "")
        .group_by(OUTBOX.c.channel)
    )
    grown = {row.channel: row.top for row in await connection.execute(statement)}
    return Moved(max(top, after), grown)


async def _moved_on_postgresql(connection: AsyncConnection, after: int | None) -> Moved:
    """The cursor is the oldest transaction that was still running.

    Row ids are given out in one order and committed in another, so a cursor over them would
    skip. Everything below the cursor has ended and was told; what is visible above it is told
    now, and told again until every older transaction has ended too.
    """
    rows = list(await connection.execute(_MOVED_ON_POSTGRESQL, {"after": after}))
    return Moved(rows[0].cursor, {row.channel: row.top for row in rows if row.channel is not None})


# A cursor from before a fail-over may be ahead of the server; then its own present counts. The
# upper bound excludes nothing: PostgreSQL guesses that an open range holds a third of the table
# and would read all of it, but that a closed one is small, and takes the index.
_MOVED_ON_POSTGRESQL = sa.text("""
    WITH here AS MATERIALIZED (
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS cursor
    )
    SELECT here.cursor, grown.channel, grown.top
    FROM here LEFT JOIN (
        SELECT channel, max("offset") AS top
        FROM outbox
        WHERE channel <> '' AND CAST(:after AS bigint) IS NOT NULL
          AND transaction_id >= LEAST(CAST(:after AS bigint), (SELECT cursor FROM here))
          AND transaction_id < 9223372036854775807
        GROUP BY channel
    ) AS grown ON true
""")

_WRITE = {"sqlite": _write_on_sqlite, "postgresql": _write_on_postgresql}
_SETTLE = {"sqlite": _settle_on_sqlite, "postgresql": _settle_on_postgresql}
_MOVED = {"sqlite": _moved_on_sqlite, "postgresql": _moved_on_postgresql}
