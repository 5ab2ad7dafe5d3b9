"""Turns to be told a digest, and what there is to tell, in tables."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from kernel.adapters.sql_outbox import write_entries
from kernel.ids import UserId
from reminders.adapters.budgets import BUDGETS
from reminders.adapters.digest_tables import DigestItemRow, DigestTurnRow
from reminders.adapters.forgotten import oldest
from reminders.adapters.mapping import (
    EVENTS,
    MEMBERS,
    PEOPLE,
    TASKS,
    Selected,
    event_of,
    member_of,
    task_of,
)
from reminders.adapters.person_columns import person_of
from reminders.digests.agenda import Agenda, Turned, failed
from reminders.digests.digest import Folded, Plan
from reminders.digests.turns import Reader, Turn
from reminders.firing import POISON
from reminders.person import Person, Ramadan
from reminders.types import Member, Role

log = logging.getLogger(__name__)

TURNS = table_of(DigestTurnRow)
ITEMS = table_of(DigestItemRow)

NOWHERE = "UTC"
"""The zone of who is in no event any more, and has no profile."""


async def look(
    database: Database, connection: AsyncConnection, user_id: UserId, now: datetime
) -> None:
    """Have it found out when the user's next digest is due. A turn that has come is left to
    whoever takes it: asked for the next one, nobody would find it any more."""
    new = database.insert_new(TURNS, on=["user_id"])
    await connection.execute(new.values(user_id=user_id, due_at=now))
    to_come = sa.or_(TURNS.c.due_at.is_(None), TURNS.c.due_at > now)
    again = TURNS.update().where(TURNS.c.user_id == user_id, to_come)
    await connection.execute(again.values(due_at=now, planned_on=None))


class SqlDigestStore:
    """Any number of digesters may work at once; on PostgreSQL a turn that one holds is passed
    over by the others."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_turns(
        self,
        turned: Callable[[Agenda], Turned],
        *,
        ramadans: Sequence[Ramadan],
        now: datetime,
        limit: int,
    ) -> Sequence[str]:
        come = (
            sa.select(TURNS)
            .where(TURNS.c.due_at <= now)
            .order_by(TURNS.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            turns = list(await connection.execute(come))
            if not turns:
                return []
            agendas = await _readable(connection, turns, ramadans)
            taken = [
                (
                    UserId(turn.user_id),
                    failed(turn.told_on, now) if agenda is None else turned(agenda),
                )
                for turn, agenda in zip(turns, agendas, strict=True)
            ]
            await _settle(connection, taken, now)
        return [each.outcome for _, each in taken]

    async def agenda(
        self, user_id: UserId, *, ramadans: Sequence[Ramadan], now: datetime
    ) -> Agenda | None:
        async with self._database.reading() as connection:
            query = sa.select(TURNS).where(TURNS.c.user_id == user_id)
            turns = list(await connection.execute(query))
            found = await _agendas(connection, turns, ramadans)
        return found[0] if found else None

    async def forget(self, *, before: datetime, limit: int) -> int:
        told = oldest(ITEMS, ITEMS.c.told_at, before=before, limit=limit)
        # Whoever gets no digests is never told.
        untold = ITEMS.c.told_at.is_(None)
        unwanted = oldest(ITEMS, ITEMS.c.folded_at, untold, before=before, limit=limit)
        spent = oldest(BUDGETS, BUDGETS.c.day, before=before.date(), limit=limit)
        async with self._database.transaction() as connection:
            gone = [await connection.execute(each) for each in (told, unwanted, spent)]
            return sum(each.rowcount for each in gone)


async def _settle(
    connection: AsyncConnection, taken: Sequence[tuple[UserId, Turned]], now: datetime
) -> None:
    await connection.execute(
        TURNS.update()
        .where(TURNS.c.user_id == sa.bindparam("whose"))
        .values(
            due_at=sa.bindparam("next_at"),
            planned_on=sa.bindparam("next_on"),
            told_on=sa.bindparam("told"),
        ),
        [
            {
                "whose": user_id,
                "next_at": None if each.next is None else each.next.due_at,
                "next_on": None if each.next is None else each.next.on,
                "told": each.told_on,
            }
            for user_id, each in taken
        ],
    )
    keys = [folded.key for _, each in taken for folded in each.tells]
    if keys:
        told = ITEMS.update().where(ITEMS.c.dedupe_key.in_(keys))
        await connection.execute(told.values(told_at=now))
    entries = [each.entry for _, each in taken if each.entry is not None]
    await write_entries(connection, entries, now)


@dataclass
class _Found:
    """What belongs to one user."""

    person: Person | None = None
    events: dict[UUID, Role] = field(default_factory=dict)
    folded: list[Folded] = field(default_factory=list)


async def _readable(
    connection: AsyncConnection, turns: Sequence[Selected], ramadans: Sequence[Ramadan]
) -> list[Agenda | None]:
    """The agendas of these turns; None for one that cannot be read."""
    try:
        return list(await _agendas(connection, turns, ramadans))
    except POISON:
        if len(turns) == 1:
            log.exception("digest unreadable", extra={"user_id": turns[0].user_id})
            return [None]
        middle = len(turns) // 2
        first = await _readable(connection, turns[:middle], ramadans)
        return first + await _readable(connection, turns[middle:], ramadans)


async def _agendas(
    connection: AsyncConnection, turns: Sequence[Selected], ramadans: Sequence[Ramadan]
) -> list[Agenda]:
    users = [turn.user_id for turn in turns]
    found: dict[str, _Found] = defaultdict(_Found)
    for row in await connection.execute(sa.select(PEOPLE).where(PEOPLE.c.user_id.in_(users))):
        found[row.user_id].person = person_of(row)
    waiting = sa.select(ITEMS).where(ITEMS.c.user_id.in_(users), ITEMS.c.told_at.is_(None))
    for row in await connection.execute(waiting):
        found[row.user_id].folded.append(Folded(row.dedupe_key, row.task_id))
    taking_part = (
        sa.select(MEMBERS.c.user_id, MEMBERS.c.role, MEMBERS.c.event_id)
        .join(EVENTS, EVENTS.c.id == MEMBERS.c.event_id)
        .where(MEMBERS.c.user_id.in_(users), EVENTS.c.cancelled_at.is_(None))
    )
    for row in await connection.execute(taking_part):
        found[row.user_id].events[row.event_id] = Role(row.role)
    events = {key for each in found.values() for key in each.events}
    untold = {folded.task_id for each in found.values() for folded in each.folded}
    plans = await _plans(connection, sorted(events), sorted(found), sorted(untold))
    return [_agenda(turn, found[turn.user_id], plans, ramadans) for turn in turns]


async def _plans(
    connection: AsyncConnection,
    event_ids: Sequence[UUID],
    users: Sequence[str],
    untold: Sequence[UUID],
) -> Mapping[UUID, Plan]:
    """What is open in the events, as far as it may be in the digest of one of these users."""
    if not event_ids:
        return {}
    members: dict[UUID, dict[UserId, Member]] = defaultdict(dict)
    for row in await connection.execute(
        sa.select(MEMBERS)
        .where(among(connection, MEMBERS.c.event_id, event_ids))
        .order_by(MEMBERS.c.joined_at, MEMBERS.c.user_id)
    ):
        members[row.event_id][UserId(row.user_id)] = member_of(row)
    assigned = sa.exists().where(
        MEMBERS.c.event_id == TASKS.c.event_id, MEMBERS.c.user_id == TASKS.c.assignee_id
    )
    # Most of a plan is somebody else's: that is not even read.
    theirs = sa.or_(
        TASKS.c.assignee_id.is_(None), among(connection, TASKS.c.assignee_id, users), ~assigned
    )
    told = sa.or_(
        sa.and_(TASKS.c.due_kind != "none", theirs), among(connection, TASKS.c.id, untold)
    )
    tasks = defaultdict(list)
    for row in await connection.execute(
        sa.select(TASKS).where(
            among(connection, TASKS.c.event_id, event_ids),
            TASKS.c.done_at.is_(None),
            TASKS.c.deleted_at.is_(None),
            told,
        )
    ):
        tasks[row.event_id].append(task_of(row))
    found = sa.select(EVENTS).where(among(connection, EVENTS.c.id, event_ids))
    events = await connection.execute(found)
    return {row.id: Plan(event_of(row), members[row.id], tasks[row.id]) for row in events}


def _agenda(
    turn: Selected, found: _Found, plans: Mapping[UUID, Plan], ramadans: Sequence[Ramadan]
) -> Agenda:
    own = [plans[key] for key in sorted(found.events) if key in plans]
    reader = Reader(
        user_id=UserId(turn.user_id),
        person=found.person,
        event_zone=own[0].event.zone if own else NOWHERE,
        roles=frozenset(found.events.values()) - {Role.GUEST},
        ramadans=ramadans,
    )
    known = turn.planned_on is not None and turn.due_at is not None
    return Agenda(
        reader=reader,
        turn=Turn(turn.due_at, turn.planned_on) if known else None,
        told_on=turn.told_on,
        plans=own,
        folded=found.folded,
    )
