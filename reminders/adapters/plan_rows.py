"""What a plan is made of, and making the waiting firings equal to it."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.ids import new_id
from reminders.adapters.firing_columns import columns_of_firing
from reminders.adapters.guest_columns import GUESTS, guest_of, opted_out, times_asked
from reminders.adapters.mapping import (
    FIRINGS,
    LOG,
    MEMBERS,
    PEOPLE,
    RULES,
    TASKS,
    Columns,
    Selected,
    member_of,
    rule_of,
    task_of,
)
from reminders.adapters.person_columns import person_of
from reminders.adapters.sql_alarms import tell_holders
from reminders.firing import Firing
from reminders.guest import Answer, Guest
from reminders.ports import Reconciled
from reminders.types import Event, Inputs

_MOVES = ("shard", "due_at", "useful_until", "grace_seconds", "zone", "firing_class")
_VERSIONS = ("event_version", "task_version")

# Built once: every plan of every event runs them.
_EVENT: sa.BindParameter[UUID] = sa.bindparam("event_id")
_MEMBERS = sa.select(MEMBERS).where(MEMBERS.c.event_id == _EVENT)
_TASKS = sa.select(TASKS).where(
    TASKS.c.event_id == _EVENT, TASKS.c.done_at.is_(None), TASKS.c.deleted_at.is_(None)
)
_RULES = sa.select(RULES).where(RULES.c.event_id == _EVENT)
_PEOPLE = sa.select(PEOPLE).where(PEOPLE.c.user_id.in_(sa.bindparam("users", expanding=True)))
_WAITING = sa.select(
    *(FIRINGS.c[name] for name in ("id", "dedupe_key", "user_id", *_MOVES, *_VERSIONS))
).where(FIRINGS.c.event_id == _EVENT)
_SETTLED = sa.select(LOG.c.dedupe_key).where(LOG.c.event_id == _EVENT)
_ADD = FIRINGS.insert()
_MOVE = FIRINGS.update().where(FIRINGS.c.id == sa.bindparam("waiting_id"))


async def waiting_of(connection: AsyncConnection, event_id: UUID) -> Mapping[bytes, Selected]:
    """The firings of the event that wait, by their identity."""
    rows = await connection.execute(_WAITING, {"event_id": event_id})
    return {row.dedupe_key: row for row in rows}


async def inputs_of(
    connection: AsyncConnection, event: Event, waiting: Iterable[Selected]
) -> Inputs:
    """Everything that decides the event's firings."""
    of_event = {"event_id": event.id}
    guests = await _guests(connection, event)
    members = [member_of(row) for row in await connection.execute(_MEMBERS, of_event)]
    users = {*(each.user_id for each in members), *(each.user_id for each in guests)}
    people = await connection.execute(_PEOPLE, {"users": sorted(users)})
    return Inputs(
        event=event,
        members=members,
        tasks=[task_of(row) for row in await connection.execute(_TASKS, of_event)],
        rules=[rule_of(row) for row in await connection.execute(_RULES, of_event)],
        people={row.user_id: person_of(row) for row in people},
        guests=guests,
        waiting_since=min((row.due_at for row in waiting), default=None),
    )


async def _guests(connection: AsyncConnection, event: Event) -> Sequence[Guest]:
    """Those who have not answered and may be asked, if answers are due by some day."""
    if not event.deadlines:
        return ()
    waiting = sa.select(GUESTS, times_asked().label("told")).where(
        GUESTS.c.event_id == event.id,
        GUESTS.c.part.in_([each.part for each in event.deadlines]),
        GUESTS.c.answer == str(Answer.INVITED),
        ~opted_out(GUESTS.c.user_id, event.id),
    )
    return [guest_of(row, told=row.told) for row in await connection.execute(waiting)]


async def write_plan(
    connection: AsyncConnection,
    event_id: UUID,
    waiting: Mapping[bytes, Selected],
    desired: Sequence[Firing],
    *,
    since: datetime,
    now: datetime,
) -> Reconciled:
    settled = set((await connection.execute(_SETTLED, {"event_id": event_id})).scalars())
    wanted = {firing.dedupe_key: firing for firing in desired}

    added = [
        {"id": new_id(now), **columns_of_firing(firing)}
        for key, firing in wanted.items()
        if key not in waiting and key not in settled and firing.due_at >= since
    ]
    moved = [
        {"waiting_id": waiting[key].id, **columns}
        for key, firing in wanted.items()
        if key in waiting
        and (columns := _differing(firing))
        != {name: getattr(waiting[key], name) for name in columns}
    ]
    removed = [row.id for key, row in waiting.items() if key not in wanted or key in settled]

    if added:
        await connection.execute(_ADD, added)
    if moved:
        await connection.execute(_MOVE, moved)
    if removed:
        remove, ids = _REMOVE[connection.dialect.name]
        await connection.execute(remove, {"ids": ids(removed)})
    await tell_holders(connection, _earliest(waiting, added, moved, set(removed)), now)
    return Reconciled(len(added), len(moved), len(removed))


_REMOVE: Mapping[str, tuple[sa.TextClause, Callable[[Sequence[UUID]], object]]] = {
    "postgresql": (sa.text("DELETE FROM firings WHERE id = ANY (CAST(:ids AS uuid[]))"), list),
    "sqlite": (
        sa.text("DELETE FROM firings WHERE id IN (SELECT value FROM json_each(:ids))"),
        lambda ids: json.dumps([each.hex for each in ids]),
    ),
}


def _earliest(
    waiting: Mapping[bytes, Selected],
    added: Sequence[Columns],
    moved: Sequence[Columns],
    removed: Collection[UUID],
) -> dict[str, datetime]:
    """The users whose reminders are others now, and when the first of these is or was."""
    moving = {row["waiting_id"]: row["due_at"] for row in moved}
    dues = [(row["user_id"], row["due_at"]) for row in added]
    dues += [
        (row.user_id, min(row.due_at, moving.get(row.id, row.due_at)))
        for row in waiting.values()
        if row.id in removed or moving.get(row.id, row.due_at) != row.due_at
    ]
    first: dict[str, datetime] = {}
    for user_id, due_at in dues:
        first[user_id] = min(due_at, first.get(user_id, due_at))
    return first


def _differing(firing: Firing) -> Columns:
    """The columns in which a firing of the same identity can differ from the waiting one."""
    columns = columns_of_firing(firing)
    return {name: columns[name] for name in (*_MOVES, *_VERSIONS)}
