"""Settling most due firings in a few statements, whatever their number: what SQL can judge."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from reminders.adapters.mapping import EVENTS, MEMBERS, PEOPLE, Selected
from reminders.adapters.settling import at_work
from reminders.adapters.usual_statements import (
    KNOWN,
    LEFT,
    settle_on_postgresql,
    settle_on_sqlite,
)
from reminders.firing import POISON, FiringClass, Outcome, Tally
from reminders.person import FastingPolicy, Quiet
from reminders.quiet import Habits

Usual = Callable[[FiringClass, Habits], bool]
"""Whether firings of a class may go off as they are, among users with such habits."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Due firings that are ours until the transaction ends."""

    usual: Sequence[UUID]
    """Those that the statements here may judge."""
    left: Sequence[UUID]
    """Those that need a closer look, if the guards do not end them before."""


async def take(connection: AsyncConnection, due: sa.Select[Any], usual: Usual) -> Taken:
    """Hold the firings that `due` selects, and tell apart those that may need a closer look.

    What users with the same habits have of a class is looked at once.
    """
    taken = due.cte("taken").prefix_with("MATERIALIZED", dialect="postgresql")
    dialect = _DIALECTS[connection.dialect.name]
    habits = (
        taken.c.firing_class,
        sa.case((PEOPLE.c.user_id.is_(None), EVENTS.c.zone)).label("event_zone"),
        PEOPLE.c.zone,
        PEOPLE.c.follow_device,
        PEOPLE.c.device_zone,
        PEOPLE.c.locale,
        PEOPLE.c.quiet_start,
        PEOPLE.c.quiet_end,
        PEOPLE.c.fasting,
        at_work(taken.c).label("at_work"),
    )
    query = (
        sa.select(*habits, dialect.gather(taken.c.id).label("ids"))
        .join(EVENTS, EVENTS.c.id == taken.c.event_id)
        .outerjoin(PEOPLE, PEOPLE.c.user_id == taken.c.user_id)
        .outerjoin(
            MEMBERS,
            sa.and_(MEMBERS.c.event_id == taken.c.event_id, MEMBERS.c.user_id == taken.c.user_id),
        )
        .group_by(*habits)
    )
    ids: dict[bool, list[UUID]] = {True: [], False: []}
    for row in await connection.execute(query):
        ids[_is_usual(row, usual)] += dialect.ids_of(row.ids)
    return Taken(ids[True], ids[False])


async def settle_usual(
    connection: AsyncConnection, taken: Taken, now: datetime, *, by_user: bool = False
) -> tuple[Sequence[Tally], bool]:
    """Settle what can be; how often what came of it, and whether firings of `left` remain.

    What goes off `by_user` is one entry of the outbox for each.
    """
    dialect = _DIALECTS[connection.dialect.name]
    values = {
        "taken": dialect.ids([*taken.usual, *taken.left]),
        "left": dialect.ids(taken.left),
        "now": now,
    }
    remain = False
    tallies: list[Tally] = []
    for row in await dialect.settle(connection, values, by_user):
        if row.outcome == LEFT:
            remain = True
            continue
        outcome = None if row.outcome == KNOWN else Outcome(row.outcome)
        lateness = dialect.numbers_of(row.lateness)
        reason = "" if outcome is None else row.reason
        tallies.append(Tally(FiringClass(row.firing_class), outcome, lateness, reason))
    return tallies, remain


def _is_usual(row: Selected, usual: Usual) -> bool:
    try:
        return usual(FiringClass(row.firing_class), _habits_of(row))
    except POISON:
        # Looked at closely, one by one, whoever cannot be read holds nobody else back.
        return False


def _habits_of(row: Selected) -> Habits:
    if row.event_zone is not None:
        return Habits(row.event_zone, at_work=bool(row.at_work))
    return Habits(
        zone=(row.device_zone if row.follow_device else None) or row.zone,
        locale=row.locale,
        quiet=None if row.quiet_start is None else Quiet(row.quiet_start, row.quiet_end),
        fasting=FastingPolicy(row.fasting),
        at_work=bool(row.at_work),
    )


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How lists go to a database and come back from it."""

    settle: Callable[[AsyncConnection, Mapping[str, Any], bool], Awaitable[sa.CursorResult[Any]]]
    gather: Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]
    ids: Callable[[Collection[UUID]], Any]
    ids_of: Callable[[Any], Sequence[UUID]]
    numbers_of: Callable[[Any], Sequence[float]]


_DIALECTS = {
    "postgresql": _Dialect(
        settle_on_postgresql, sa.func.array_agg, ids=list, ids_of=list, numbers_of=list
    ),
    "sqlite": _Dialect(
        settle_on_sqlite,
        sa.func.json_group_array,
        ids=lambda ids: json.dumps([each.hex for each in ids]),
        ids_of=lambda text: [UUID(each) for each in json.loads(text)],
        numbers_of=json.loads,
    ),
}
