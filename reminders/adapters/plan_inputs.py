"""What plans are made of, read for several events at once."""

from collections import defaultdict, namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import AMONG
from reminders.adapters.firing_columns import MOVING
from reminders.adapters.guest_columns import GUESTS, guest_of, opted_out, times_asked
from reminders.adapters.mapping import (
    FIRINGS,
    LOG,
    MEMBERS,
    PEOPLE,
    RULES,
    TASKS,
    Selected,
    member_of,
    rule_of,
    task_of,
)
from reminders.adapters.person_columns import person_of
from reminders.firing import Outcome
from reminders.guest import Answer
from reminders.types import Event, Inputs

Waiting = Mapping[bytes, Selected]
"""The firings of an event that wait, by their identity."""


class _Read:
    """A query about several events. SQLAlchemy looks for a column of a row by its name whenever
    it is asked; with a hundred rows and twenty columns that would be most of reading them."""

    def __init__(self, query: sa.Select[Any]) -> None:
        self._query = query
        names = [column.name for column in query.selected_columns]
        self._row: Callable[[Iterable[Any]], Selected] = namedtuple("Row", names)._make  # type: ignore[attr-defined]

    async def rows(
        self, connection: AsyncConnection, **values: Sequence[Any]
    ) -> Iterator[Selected]:
        return map(self._row, (await connection.execute(self._query, values)).all())

    async def by_event(
        self, connection: AsyncConnection, event_ids: Sequence[UUID]
    ) -> Mapping[UUID, Sequence[Selected]]:
        found: dict[UUID, list[Selected]] = defaultdict(list)
        for row in await self.rows(connection, events=event_ids):
            found[row.event_id].append(row)
        return found


@dataclass(frozen=True, slots=True)
class _Reads:
    """Built once for each dialect: every plan of every event needs them."""

    members: _Read
    people: _Read
    tasks: _Read
    rules: _Read
    guests: _Read
    waiting: _Read
    settled: _Read


_READS = {
    dialect: _Reads(
        members=_Read(sa.select(MEMBERS).where(is_among(MEMBERS.c.event_id, "events"))),
        people=_Read(sa.select(PEOPLE).where(is_among(PEOPLE.c.user_id, "users"))),
        tasks=_Read(
            sa.select(TASKS).where(
                is_among(TASKS.c.event_id, "events"),
                TASKS.c.done_at.is_(None),
                TASKS.c.deleted_at.is_(None),
            )
        ),
        rules=_Read(sa.select(RULES).where(is_among(RULES.c.event_id, "events"))),
        guests=_Read(
            sa.select(GUESTS, times_asked().label("told")).where(
                is_among(GUESTS.c.event_id, "events"),
                GUESTS.c.answer == str(Answer.INVITED),
                ~opted_out(GUESTS.c.user_id, GUESTS.c.event_id),
            )
        ),
        waiting=_Read(
            sa.select(
                *(FIRINGS.c[name] for name in ("event_id", "id", "dedupe_key", "user_id", *MOVING))
            ).where(is_among(FIRINGS.c.event_id, "events"))
        ),
        settled=_Read(
            sa.select(
                LOG.c.event_id,
                LOG.c.dedupe_key,
                (LOG.c.outcome == str(Outcome.SUPERSEDED)).label("superseded"),
            ).where(is_among(LOG.c.event_id, "events"))
        ),
    )
    for dialect, is_among in AMONG.items()
}


async def waiting_of(
    connection: AsyncConnection, event_ids: Sequence[UUID]
) -> Mapping[UUID, Waiting]:
    """The firings of each event that wait."""
    rows = await _READS[connection.dialect.name].waiting.by_event(connection, event_ids)
    return {each: {row.dedupe_key: row for row in rows[each]} for each in event_ids}


@dataclass(frozen=True, slots=True)
class OnRecord:
    """The firings of an event that are on record, by their identity."""

    settled: Set[bytes]
    superseded: Set[bytes]
    """Not for ever: planned again, they wait again."""


async def record_of(
    connection: AsyncConnection, event_ids: Sequence[UUID]
) -> Mapping[UUID, OnRecord]:
    """What is on record of each event. Of firings that were read as waiting before, none is
    missed."""
    rows = await _READS[connection.dialect.name].settled.by_event(connection, event_ids)
    return {
        each: OnRecord(
            settled={row.dedupe_key for row in rows[each] if not row.superseded},
            superseded={row.dedupe_key for row in rows[each] if row.superseded},
        )
        for each in event_ids
    }


async def inputs_of(
    connection: AsyncConnection, events: Sequence[Event], waiting: Mapping[UUID, Waiting]
) -> Sequence[Inputs]:
    """Everything that decides each event's firings."""
    reads, ids = _READS[connection.dialect.name], [event.id for event in events]
    guests = await _guests(connection, events)
    members = await reads.members.by_event(connection, ids)
    tasks = await reads.tasks.by_event(connection, ids)
    rules = await reads.rules.by_event(connection, ids)
    users = {each: {row.user_id for row in (*members[each], *guests[each])} for each in ids}
    named = sorted(set().union(*users.values()))
    people = {
        row.user_id: person_of(row) for row in await reads.people.rows(connection, users=named)
    }
    return [
        Inputs(
            event=event,
            members=[member_of(row) for row in members[event.id]],
            tasks=[task_of(row) for row in tasks[event.id]],
            rules=[rule_of(row) for row in rules[event.id]],
            people={each: people[each] for each in users[event.id] if each in people},
            guests=[guest_of(row, told=row.told) for row in guests[event.id]],
            waiting_since=min((row.due_at for row in waiting[event.id].values()), default=None),
        )
        for event in events
    ]


async def _guests(
    connection: AsyncConnection, events: Sequence[Event]
) -> Mapping[UUID, Sequence[Selected]]:
    """Those who have not answered and may be asked, where answers are due by some day."""
    parts = {event.id: {each.part for each in event.deadlines} for event in events}
    asking = [event_id for event_id, asked in parts.items() if asked]
    if not asking:
        return defaultdict(list)
    rows = await _READS[connection.dialect.name].guests.by_event(connection, asking)
    return {each: [row for row in rows[each] if row.part in parts[each]] for each in parts}
