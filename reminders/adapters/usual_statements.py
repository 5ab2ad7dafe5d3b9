"""The guards, the record and the hand-over of due firings, in SQL.

What they say is what `reminders.handover.judge` says, in its order; a property test holds the
two together.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Instant
from reminders.guest import ASKED, EVERYWHERE
from reminders.handover import PLANNED_OTHERWISE
from reminders.usual import FIRST_USUAL, LAST_USUAL

LEFT = "left"
"""The outcome of what needs a closer look."""

KNOWN = "known"
"""The outcome of what a race planned again after it was settled."""

# Whether something is there is asked row by row, by its key. For EXISTS, and for joins, PostgreSQL
# may read the whole table once, which it takes to be cheaper than some hundred keys; and each
# join takes longer to plan.
_JUDGED = """
    SELECT firing.*,
        NOT {over} AS alive,
        CASE
            WHEN (SELECT 1 FROM firing_log AS settled
                WHERE settled.nominal_day = firing.nominal_day
                    AND settled.dedupe_key = firing.dedupe_key) IS NOT NULL THEN 'known'
            WHEN {over} OR {not_standing} THEN 'gone'
            WHEN task.done_at IS NOT NULL THEN 'done'
            WHEN task.sched_version <> firing.task_version
                OR event.sched_version <> firing.event_version THEN 'stale_replanned'
            WHEN person.muted THEN 'muted'
            WHEN firing.useful_until <= :now
                AND firing.firing_class NOT IN ('payment', 'payment_late') THEN 'expired'
            WHEN {left} THEN 'left'
            WHEN firing.firing_class IN ('policy_far', 'nag', 'payment', 'payment_late')
                AND {grace_over} THEN 'folded'
            ELSE 'fired'
        END AS outcome
    FROM {taken}
    JOIN events AS event ON event.id = firing.event_id
    LEFT JOIN tasks AS task ON task.id = firing.task_id
    LEFT JOIN reminders_people AS person ON person.user_id = firing.user_id
"""

_OVER = """(event.cancelled_at IS NOT NULL
    OR (firing.firing_class NOT IN ('event', 'event_day', 'guest')
        AND (task.id IS NULL OR task.deleted_at IS NOT NULL)))"""

# A guest is asked so often at most, whatever was moved meanwhile.
_NOT_STANDING = """CASE WHEN firing.firing_class = 'guest' THEN
        (SELECT guest.answer FROM event_guests AS guest
            WHERE guest.id = firing.task_id AND guest.answer = 'invited') IS NULL
        OR EXISTS (SELECT 1 FROM guest_opt_outs AS opted WHERE opted.user_id = firing.user_id
            AND opted.event_id IN (firing.event_id, {everywhere}))
        OR {asked} <= (SELECT count(*) FROM firing_log AS asked
            WHERE asked.event_id = firing.event_id AND asked.task_id = firing.task_id
                AND asked.outcome = 'fired')
    ELSE (SELECT member.user_id FROM event_members AS member
            WHERE member.event_id = firing.event_id AND member.user_id = firing.user_id) IS NULL
        OR NOT ({usual}
            OR (SELECT rule.id FROM rules AS rule WHERE rule.id = firing.rule_id) IS NOT NULL)
    END"""

_REASON = """CASE
            WHEN outcome = 'gone' AND alive THEN 'rule or membership gone'
            WHEN outcome = 'gone' THEN 'task or event gone'
            WHEN outcome = 'expired' THEN 'no longer useful'
            WHEN outcome = 'folded' THEN 'later than its grace'
            ELSE ''
        END"""

_RECORD = """
    INSERT INTO firing_log (nominal_day, dedupe_key, event_id, task_id, rule_id, user_id,
                            firing_class, due_at, decided_at, outcome, reason)
    SELECT nominal_day, dedupe_key, event_id, task_id, rule_id, user_id, firing_class, due_at,
        {now},
        CASE WHEN outcome = 'stale_replanned' THEN 'superseded' ELSE outcome END,
        CASE WHEN outcome = 'stale_replanned' THEN '{otherwise}' ELSE {reason} END
    FROM judged WHERE outcome NOT IN ('known', 'left')
        AND (outcome <> 'stale_replanned' OR due_at <= {now})
"""

_HAND_OVER = """
    INSERT INTO outbox (kind, payload, channel, "offset", transaction_id, created_at, due_at,
                        fence, attempts)
    SELECT 'reminder', {payload}, '', 0, {transaction}, {now}, {released}, 0, 0
    FROM judged WHERE outcome IN ('fired', 'folded')
    ORDER BY {released}, judged.user_id, judged.due_at, judged.id
"""

_HAND_OVER_BY_USER = """
    INSERT INTO outbox (kind, payload, channel, "offset", transaction_id, created_at, due_at,
                        fence, attempts)
    SELECT 'reminders.late', {payloads}, '', 0, {transaction}, {now}, {now}, 0, 0
    FROM judged WHERE outcome IN ('fired', 'folded')
    GROUP BY user_id
"""

_HAND_OVERS = {False: _HAND_OVER, True: _HAND_OVER_BY_USER}

_MARK = """
    INSERT INTO plan_dirty (event_id, marked_at)
    SELECT DISTINCT event_id, {now} FROM judged WHERE outcome = 'stale_replanned'
"""

_REMOVE = "DELETE FROM firings WHERE id IN (SELECT id FROM judged WHERE outcome <> 'left')"

_NOW = sa.bindparam("now", type_=Instant())

# --- PostgreSQL: one statement, whose parts all see what was true at its beginning ------------

_HANDED_ON_POSTGRESQL = """json_build_object(
        'key', encode(dedupe_key, 'hex'), 'day', nominal_day, 'zone', zone,
        'useful_until', CAST(extract(epoch FROM useful_until) * 1000000 AS bigint),
        'grace', grace_seconds, 'event_version', event_version, 'task_version', task_version
    )"""

_ON_POSTGRESQL = {
    "over": _OVER,
    "not_standing": _NOT_STANDING.format(
        asked=ASKED,
        everywhere=f"CAST('{EVERYWHERE}' AS uuid)",
        usual=f"""firing.rule_id
            BETWEEN CAST('{FIRST_USUAL}' AS uuid) AND CAST('{LAST_USUAL}' AS uuid)""",
    ),
    "left": "firing.id = ANY (CAST(:left AS uuid[]))",
    "taken": "given JOIN firings AS firing ON firing.id = given.id",
    "grace_over": "firing.due_at + make_interval(secs => firing.grace_seconds) < :now",
    "now": ":now",
    "reason": _REASON,
    "otherwise": PLANNED_OTHERWISE,
    "released": "greatest(due_at, :now)",
    "transaction": "CAST(CAST(pg_current_xact_id() AS text) AS bigint)",
    "payload": f"CAST({_HANDED_ON_POSTGRESQL} AS text)",
    "payloads": f"CAST(json_agg({_HANDED_ON_POSTGRESQL}) AS text)",
}

_ALL = """
    WITH given AS MATERIALIZED (
        SELECT id FROM unnest(CAST(:taken AS uuid[])) AS given (id)
    ), judged AS MATERIALIZED ({judged}), recorded AS ({record}), handed AS ({hand_over}),
        marked AS ({mark}), removed AS ({remove})
    SELECT outcome, firing_class, {reason} AS reason,
        array_agg(CAST(extract(epoch FROM :now - due_at) AS float8)) AS lateness
    FROM judged GROUP BY outcome, firing_class, reason
"""

_SETTLE_ON_POSTGRESQL = {
    by_user: sa.text(
        _ALL.format(
            judged=_JUDGED.format(**_ON_POSTGRESQL),
            reason=_REASON,
            record=_RECORD.format(**_ON_POSTGRESQL),
            hand_over=hand_over.format(**_ON_POSTGRESQL),
            mark=_MARK.format(**_ON_POSTGRESQL),
            remove=_REMOVE,
        )
    ).bindparams(_NOW)
    for by_user, hand_over in _HAND_OVERS.items()
}


async def settle_on_postgresql(
    connection: AsyncConnection, values: Mapping[str, Any], by_user: bool
) -> sa.CursorResult[Any]:
    """Settle the firings `taken`: per outcome and class, how late each was. What goes off is
    handed over one by one, or `by_user`: all of one user's in one."""
    return await connection.execute(_SETTLE_ON_POSTGRESQL[by_user], values)


# --- SQLite: one after the other, over a table of its own -------------------------------------

_HANDED_ON_SQLITE = """json_object(
        'key', lower(hex(dedupe_key)), 'day', nominal_day, 'zone', zone,
        'useful_until', useful_until,
        'grace', grace_seconds, 'event_version', event_version, 'task_version', task_version
    )"""

_ON_SQLITE = {
    "over": _OVER,
    "not_standing": _NOT_STANDING.format(
        asked=ASKED,
        everywhere=f"'{EVERYWHERE.hex}'",
        usual=f"firing.rule_id BETWEEN '{FIRST_USUAL.hex}' AND '{LAST_USUAL.hex}'",
    ),
    "left": "firing.id IN (SELECT value FROM json_each(:left))",
    # Written so that SQLite goes from the ids to the firings.
    "taken": "json_each(:taken) AS taken CROSS JOIN firings AS firing ON firing.id = taken.value",
    "grace_over": "firing.due_at + firing.grace_seconds * 1000000 < :now",
    "now": ":now",
    "reason": _REASON,
    "otherwise": PLANNED_OTHERWISE,
    "released": "max(due_at, :now)",
    "transaction": "0",
    "payload": _HANDED_ON_SQLITE,
    "payloads": f"json_group_array({_HANDED_ON_SQLITE})",
}

_JUDGE_ON_SQLITE = sa.text(
    "CREATE TEMP TABLE judged AS " + _JUDGED.format(**_ON_SQLITE)
).bindparams(_NOW)
_WRITE_ON_SQLITE = {
    by_user: [
        sa.text(each.format(**_ON_SQLITE)).bindparams(_NOW) for each in (_RECORD, hand_over, _MARK)
    ]
    for by_user, hand_over in _HAND_OVERS.items()
}
_TELL = """
    SELECT outcome, firing_class, {reason} AS reason,
        json_group_array((:now - due_at) / 1e6) AS lateness
    FROM judged GROUP BY outcome, firing_class, reason
"""
_TELL_ON_SQLITE = sa.text(_TELL.format(**_ON_SQLITE)).bindparams(_NOW)


async def settle_on_sqlite(
    connection: AsyncConnection, values: Mapping[str, Any], by_user: bool
) -> sa.CursorResult[Any]:
    """The same."""
    now = {"now": values["now"]}
    await connection.execute(sa.text("DROP TABLE IF EXISTS temp.judged"))
    await connection.execute(_JUDGE_ON_SQLITE, values)
    for statement in _WRITE_ON_SQLITE[by_user]:
        await connection.execute(statement, now)
    await connection.execute(sa.text(_REMOVE))
    return await connection.execute(_TELL_ON_SQLITE, now)
