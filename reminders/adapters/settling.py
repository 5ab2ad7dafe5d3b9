"""Due firings with what is true about them, and settling them once for ever."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database
from kernel.adapters.sql_outbox import write_entries
from kernel.ids import UserId
from kernel.outbox import Entry
from reminders.adapters.firing_columns import firing_of
from reminders.adapters.guest_columns import GUESTS, opted_out
from reminders.adapters.mapping import (
    EVENTS,
    FIRINGS,
    LOG,
    MEMBERS,
    PEOPLE,
    RULES,
    TASKS,
    Selected,
    event_of,
    task_of,
)
from reminders.adapters.person_columns import person_of
from reminders.adapters.plan_marks import mark
from reminders.days import MAIN
from reminders.event_news import MOVED
from reminders.firing import (
    POISON,
    DueFiring,
    Firing,
    FiringClass,
    Judgement,
    Outcome,
    Tally,
    death_by,
)
from reminders.guest import Answer
from reminders.handed import LATE, REMINDER, handed_payload, late_payload
from reminders.handover import PLANNED_OTHERWISE
from reminders.types import Role
from reminders.usual import FIRST_USUAL, LAST_USUAL

log = logging.getLogger(__name__)

DueRows = sa.Select[Any]
"""A query for the rows of due firings."""

Judge = Callable[[DueFiring], Judgement]
"""Says what becomes of a due firing."""

UNSETTLED = frozenset({Outcome.STALE, Outcome.DEFERRED})
"""What is not settled: it may still go off."""

_HANDED_OVER = frozenset({Outcome.FIRED, Outcome.FOLDED})

REASON = 500
"""Characters of a reason that are kept."""

_TRUTH = {"event": EVENTS, "task": TASKS, "person": PEOPLE}


def with_truth(due: DueRows) -> DueRows:
    """The due firings with everything that their judgement looks at."""
    # Materialised, or stale statistics could make the limited part run more than once.
    taken = due.cte("taken").prefix_with("MATERIALIZED", dialect="postgresql")
    # What is usual is not stored: it stands as long as the versions do.
    usual = taken.c.rule_id.between(FIRST_USUAL, LAST_USUAL)
    ruled = sa.or_(RULES.c.id.is_not(None), usual)
    waiting = sa.and_(
        GUESTS.c.answer == str(Answer.INVITED), ~opted_out(taken.c.user_id, taken.c.event_id)
    )
    standing = sa.case(
        (taken.c.firing_class == str(FiringClass.GUEST), waiting),
        else_=sa.and_(MEMBERS.c.user_id.is_not(None), ruled),
    )
    columns = [
        column.label(f"{name}__{column.name}")
        for name, table in _TRUTH.items()
        for column in table.c
    ]
    return (
        sa.select(
            *taken.c,
            *columns,
            standing.label("standing"),
            at_work(taken.c).label("at_work"),
            GUESTS.c.part,
        )
        .join(EVENTS, EVENTS.c.id == taken.c.event_id)
        .outerjoin(TASKS, TASKS.c.id == taken.c.task_id)
        .outerjoin(RULES, RULES.c.id == taken.c.rule_id)
        .outerjoin(PEOPLE, PEOPLE.c.user_id == taken.c.user_id)
        .outerjoin(GUESTS, GUESTS.c.id == taken.c.task_id)
        .outerjoin(
            MEMBERS,
            sa.and_(MEMBERS.c.event_id == taken.c.event_id, MEMBERS.c.user_id == taken.c.user_id),
        )
        .order_by(taken.c.due_at, taken.c.id)
    )


def at_work(firing: Any) -> sa.ColumnElement[bool]:
    """Whether who is told is spoken to as a vendor, as a row of `MEMBERS` has it. That the
    event has moved they hear as everybody does."""
    return sa.func.coalesce(
        sa.and_(
            MEMBERS.c.role == str(Role.VENDOR),
            firing.firing_class != str(FiringClass.GUEST),
            firing.rule_id != MOVED,
        ),
        sa.false(),
    )


async def settle(
    database: Database,
    connection: AsyncConnection,
    judged: Sequence[tuple[Selected, Judgement]],
    now: datetime,
    *,
    by_user: bool = False,
) -> Sequence[Tally]:
    """Record, hand over and remove; the log decides which firings are settled for the first
    time, so that one that was planned twice by a race still goes off once."""
    if not judged:
        return []
    stale = [row for row, judgement in judged if judgement.outcome is Outcome.STALE]
    deferred = [each for each in judged if each[1].outcome is Outcome.DEFERRED]
    final = [each for each in judged if each[1].outcome not in UNSETTLED]
    otherwise = Judgement(Outcome.SUPERSEDED, PLANNED_OTHERWISE)
    final += ((row, otherwise) for row in stale if row.due_at <= now)
    first = await _record(database, connection, final, now)
    gone_off: list[Firing] = []
    tallies: dict[tuple[FiringClass, Outcome | None, str], list[float]] = defaultdict(list)
    for row, judgement in judged:
        news = judgement.outcome in UNSETTLED or row.dedupe_key in first
        if news and judgement.outcome in _HANDED_OVER:
            gone_off.append(firing_of(row))
        end = (judgement.outcome, judgement.reason) if news else (None, "")
        kind = FiringClass(row.firing_class), *end
        tallies[kind].append((now - row.due_at).total_seconds())
    await write_entries(connection, (_late if by_user else _each)(gone_off, now), now)
    await mark(connection, {row.event_id for row in stale}, now)
    if deferred:
        statement = FIRINGS.update().where(FIRINGS.c.id == sa.bindparam("waiting_id"))
        await connection.execute(
            statement.values(due_at=sa.bindparam("until")),
            [{"waiting_id": row.id, "until": judgement.until} for row, judgement in deferred],
        )
    over = [row.id for row, judgement in judged if judgement.outcome is not Outcome.DEFERRED]
    await connection.execute(FIRINGS.delete().where(FIRINGS.c.id.in_(over)))
    return [
        Tally(firing_class, outcome, lateness, reason)
        for (firing_class, outcome, reason), lateness in tallies.items()
    ]


def _each(gone_off: Sequence[Firing], now: datetime) -> list[Entry]:
    """An entry for each. What is said at once to one user is said together, if the relay takes
    it together."""
    at = {firing.dedupe_key: max(firing.due_at, now) for firing in gone_off}
    ordered = sorted(gone_off, key=lambda firing: (at[firing.dedupe_key], firing.user_id))
    return [
        Entry(REMINDER, handed_payload(firing), due_at=at[firing.dedupe_key]) for firing in ordered
    ]


def _late(gone_off: Sequence[Firing], now: datetime) -> list[Entry]:
    """An entry for each user."""
    of: dict[UserId, list[Firing]] = defaultdict(list)
    for firing in gone_off:
        of[firing.user_id].append(firing)
    return [Entry(LATE, late_payload(firings), due_at=now) for firings in of.values()]


async def _record(
    database: Database,
    connection: AsyncConnection,
    final: Sequence[tuple[Selected, Judgement]],
    now: datetime,
) -> set[bytes]:
    """Write the log; the keys that were not in it before."""
    if not final:
        return set()
    new = database.insert_new(LOG, on=["nominal_day", "dedupe_key"])
    statement = new.returning(LOG.c.dedupe_key)
    rows = [
        {
            "nominal_day": row.nominal_day,
            "dedupe_key": row.dedupe_key,
            "event_id": row.event_id,
            "task_id": row.task_id,
            "rule_id": row.rule_id,
            "user_id": row.user_id,
            "firing_class": row.firing_class,
            "due_at": row.due_at,
            "decided_at": now,
            "outcome": str(judgement.outcome),
            "reason": judgement.reason[:REASON],
        }
        for row, judgement in final
    ]
    return set((await connection.execute(statement, rows)).scalars())


def due_firing(row: Selected) -> DueFiring:
    """What a row of `with_truth` says about a waiting firing."""
    return due_of(firing_of(row), row)


def judged_of(row: Selected, judge: Judge) -> Judgement:
    """What becomes of a due firing."""
    try:
        return judge(due_firing(row))
    except POISON as error:
        # One poisoned firing must not hold back its shard.
        log.exception("firing failed", extra={"task_id": str(row.task_id)})
        return death_by(error)


def due_of(firing: Firing, row: Selected) -> DueFiring:
    """The firing with what its row of `with_truth` says is true about it now."""
    return DueFiring(
        firing=firing,
        event=event_of(_Part(row, "event")),
        task=None if row.task__id is None else task_of(_Part(row, "task")),
        person=None if row.person__user_id is None else person_of(_Part(row, "person")),
        standing=bool(row.standing),
        part=row.part or MAIN,
        at_work=bool(row.at_work),
    )


class _Part:
    """The columns of one joined table within a row that holds several."""

    def __init__(self, row: Selected, name: str) -> None:
        self._row = row
        self._name = name

    def __getattr__(self, column: str) -> Any:
        return getattr(self._row, f"{self._name}__{column}")
