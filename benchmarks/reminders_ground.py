"""What the benchmarks of reminders stand on: tables full of firings, made by the database."""

import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.push_ground import tables_of
from kernel.adapters.database import Database
from kernel.clock import SystemClock
from reminders.adapters.mapping import FIRINGS, LOG

AT_ONCE = 1_000_000
"""Waiting firings that one statement makes."""

TASKS_EACH = 90
"""Tasks of an event; each has one owner, who has a profile."""


async def filled(database: Database, *, due: int, waiting: int) -> None:
    """So many policy firings that are due since a minute, and others over the next month."""
    await tables_of(database)
    now = SystemClock().now()
    values = {
        "events": -(-due // TASKS_EACH),
        "tasks": due,
        "each": TASKS_EACH,
        "now": now,
        "due_at": now - timedelta(minutes=1),
    }
    await _without_indexes(database, FIRINGS)
    began = time.monotonic()
    for statement in (_EVENTS, _MEMBERS, _PEOPLE, _RULES, _TASKS, _DUE):
        async with database.transaction() as connection:
            await _run(connection, statement, values)
    for first in range(1, waiting + 1, AT_ONCE):
        last = min(waiting, first + AT_ONCE - 1)
        async with database.transaction() as connection:
            await _run(connection, _WAITING, {**values, "first": first, "number": last})
        _tell(f"{last:,} of {waiting:,} waiting", began)
    await _with_indexes(database, FIRINGS)
    _tell("indexes built", began)
    async with database.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        for table in ("firings", "tasks", "events", "rules", "reminders_people", "event_members"):
            await alone.execute(sa.text(f"VACUUM (ANALYZE) {table}"))
        # Or what was filled would be written to the disk while it is measured.
        await alone.execute(sa.text("CHECKPOINT"))
    _tell("filled", began)


def _tell(what: str, began: float) -> None:
    print(f"{time.monotonic() - began:6.0f} s  {what}", file=sys.stderr, flush=True)


async def exact_ones(database: Database, *, tasks: int, every: timedelta, over: timedelta) -> None:
    """Exact firings that come due one after the other from now on, for users who wait."""
    values = {
        "now": SystemClock().now(),
        "every": every.total_seconds(),
        "first": 1,
        "number": over // every,
        "tasks": tasks,
        "each": TASKS_EACH,
    }
    async with database.transaction() as connection:
        await _run(connection, _EXACT, values)


async def lateness_of_exact(database: Database) -> Sequence[float]:
    """How late each exact firing was that went off, in seconds."""
    query = sa.select(LOG.c.due_at, LOG.c.decided_at).where(
        LOG.c.firing_class == "exact_calendar", LOG.c.outcome == "fired"
    )
    async with database.reading() as connection:
        rows = await connection.execute(query)
        return [(row.decided_at - row.due_at).total_seconds() for row in rows]


async def open_tasks(database: Database, number: int) -> Sequence[sa.Row[tuple[object, ...]]]:
    """Tasks and their events, for somebody to complete."""
    query = sa.text("SELECT id, event_id FROM tasks ORDER BY id LIMIT :number")
    async with database.reading() as connection:
        return list(await connection.execute(query, {"number": number}))


async def _run(
    connection: AsyncConnection, statement: sa.TextClause, values: dict[str, float | datetime]
) -> None:
    needed = {name: values[name] for name in statement.compile().params}
    await connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
    await connection.execute(statement, needed)


async def _without_indexes(database: Database, table: sa.Table) -> None:
    async with database.transaction() as connection:
        for index in table.indexes:
            await connection.run_sync(lambda sync, index=index: index.drop(sync))
        for constraint in ("pk_firings", "uq_firings_dedupe_key"):
            await connection.execute(sa.text(f"ALTER TABLE firings DROP CONSTRAINT {constraint}"))


async def _with_indexes(database: Database, table: sa.Table) -> None:
    async with database.transaction() as connection:
        for statement in (
            "SET LOCAL statement_timeout = 0",
            "SET LOCAL maintenance_work_mem = '512MB'",
            "ALTER TABLE firings ADD CONSTRAINT pk_firings PRIMARY KEY (id)",
            "ALTER TABLE firings ADD CONSTRAINT uq_firings_dedupe_key UNIQUE (dedupe_key)",
        ):
            await connection.execute(sa.text(statement))
        for index in table.indexes:
            await connection.run_sync(lambda sync, index=index: index.create(sync))


_EVENT = "CAST(md5('event ' || {}) AS uuid)"
_TASK = "CAST(md5('task ' || {}) AS uuid)"
_RULE = "CAST(md5('rule ' || {}) AS uuid)"
_OF = "((n - 1) / CAST(:each AS int) + 1)"

_EVENTS = sa.text(f"""
    INSERT INTO events (id, title, zone, day, created_at, planned_from, planned_until,
                        sched_version)
    SELECT {_EVENT.format("n")}, 'Mariage Amina & Karim', 'Africa/Algiers', CURRENT_DATE + 30,
           CAST(:now AS timestamptz), CAST(:now AS timestamptz), CAST(:now AS timestamptz), 1
    FROM generate_series(1, CAST(:events AS int)) AS n
""")
_MEMBERS = sa.text(f"""
    INSERT INTO event_members (event_id, user_id, role, joined_at)
    SELECT {_EVENT.format("n")}, 'user-' || n, 'owner', CAST(:now AS timestamptz)
    FROM generate_series(1, CAST(:events AS int)) AS n
""")
# Nowhere that it is quiet at noon on Fridays: every firing would be looked at closely.
_PEOPLE = sa.text("""
    INSERT INTO reminders_people (user_id, zone, locale, muted, quiet_start, quiet_end)
    SELECT 'user-' || n, 'Europe/Paris', 'fr-FR', false, '00:00', '00:00'
    FROM generate_series(1, CAST(:events AS int)) AS n
""")
_RULES = sa.text(f"""
    INSERT INTO rules (id, event_id, lead_months, lead_weeks, lead_days, lead_time, exact,
                       zone_policy, created_at, planned_from)
    SELECT {_RULE.format("n")}, {_EVENT.format("n")}, 0, 0, 1, '09:00', false, 'recipient',
           CAST(:now AS timestamptz), CAST(:now AS timestamptz)
    FROM generate_series(1, CAST(:events AS int)) AS n
""")
_TASKS = sa.text(f"""
    INSERT INTO tasks (id, event_id, title, due_kind, due_day, off_months, off_weeks, off_days,
                       created_at, planned_from, sched_version)
    SELECT {_TASK.format("n")}, {_EVENT.format(_OF)}, 'Confirmer le traiteur', 'day',
           CURRENT_DATE + 1, 0, 0, 0, CAST(:now AS timestamptz), CAST(:now AS timestamptz), 1
    FROM generate_series(1, CAST(:tasks AS int)) AS n
""")

_FIRING = f"""
    INSERT INTO firings (id, shard, due_at, nominal_day, dedupe_key, event_id, task_id, rule_id,
                         user_id, firing_class, grace_seconds, useful_until, zone, event_version,
                         task_version)
    SELECT CAST({{id}} AS uuid), {_OF} % 32 + {{lane}}, {{due_at}}, CURRENT_DATE + 1,
           CAST(decode(md5({{id}}), 'hex') AS bytea), {_EVENT.format(_OF)}, {_TASK.format("n")},
           {_RULE.format(_OF)}, 'user-' || {_OF}, {{kind}}, 36000, {{due_at}} + interval '1 day',
           'Africa/Algiers', 1, 1
"""
_DUE = sa.text(
    _FIRING.format(
        id="lpad(to_hex(n), 32, '0')",
        due_at="CAST(:due_at AS timestamptz)",
        kind="'policy_near'",
        lane=0,
    )
    + " FROM generate_series(1, CAST(:tasks AS int)) AS n"
)
_AGAIN = """
    FROM (
        SELECT m, (m - 1) % CAST(:tasks AS int) + 1 AS n
        FROM generate_series(CAST(:first AS int), CAST(:number AS int)) AS m
    ) AS spread"""
_WAITING = sa.text(
    _FIRING.format(
        id="'f' || lpad(to_hex(m), 31, '0')",
        due_at="CAST(:due_at AS timestamptz) + interval '1 day' * (1 + m % 30)",
        kind="'policy_near'",
        lane=0,
    )
    + _AGAIN
)
_EXACT = sa.text(
    _FIRING.format(
        id="'e' || lpad(to_hex(m), 31, '0')",
        due_at="CAST(:now AS timestamptz) + interval '1 second' * CAST(:every AS float8) * m",
        kind="'exact_calendar'",
        lane=32,
    )
    + _AGAIN
)
