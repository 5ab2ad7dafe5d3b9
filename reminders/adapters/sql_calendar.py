"""Events, members, tasks, rules and people in tables."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.alone import alone_with
from kernel.adapters.database import Database
from kernel.adapters.sql_outbox import write_entries
from kernel.ids import UserId
from kernel.outbox import Entry
from kernel.paging import Page
from reminders.action import Acted, Actionable
from reminders.adapters.action_rows import (
    forget_acted,
    read_acted,
    read_together,
    write_acted,
)
from reminders.adapters.counting import count_others
from reminders.adapters.guest_columns import GUESTS, columns_of_guest
from reminders.adapters.mapping import (
    EVENTS,
    MEMBERS,
    PEOPLE,
    RULES,
    TASKS,
    Columns,
    columns_of_event,
    columns_of_member,
    columns_of_rule,
    columns_of_task,
    event_of,
    task_of,
)
from reminders.adapters.person_columns import columns_of_person, of_plans, person_of
from reminders.adapters.places import one_page, page_of
from reminders.adapters.plan_marks import mark, marks_of
from reminders.adapters.revising import revise
from reminders.adapters.seen import are_seen
from reminders.adapters.sheets import EVENT, HELD, sheet_of
from reminders.adapters.sql_digests import look
from reminders.adapters.taking_back import take_back
from reminders.errors import EventNotFound, IdTaken, NotInvited
from reminders.guest import Guest, RemoveGuest
from reminders.news import event_changed
from reminders.person import Person
from reminders.ports import Change, Counted, Decide, DropRule, RemoveMember, TakeBack
from reminders.types import Event, Member, Rule, Sheet, Task


class SqlCalendarStore:
    """On PostgreSQL whoever changes an event holds its row, as the planner does; on SQLite
    there is one writer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, event: Event, owner: Member | None) -> Event:
        new = self._database.insert_new(EVENTS, on=["id"])
        async with self._database.transaction() as connection:
            columns = columns_of_event(event) | {"planned_until": event.created_at}
            written = await connection.execute(new.values(columns))
            if written.rowcount == 0:
                taken = sa.select(EVENTS).where(EVENTS.c.id == event.id)
                return event_of((await connection.execute(taken)).one())
            if owner is not None:
                await connection.execute(MEMBERS.insert().values(columns_of_member(owner)))
                await look(self._database, connection, owner.user_id, event.created_at)
            await mark(connection, [event.id], event.created_at)
        return event

    async def sheet(
        self, event_id: UUID, *, task_id: UUID | None = None, with_tasks: bool = False
    ) -> Sheet:
        async with self._database.reading() as connection:
            found = (await connection.execute(EVENT, {"event_id": event_id})).one_or_none()
            if found is None:
                raise EventNotFound("There is no such event.")
            return await sheet_of(connection, found, task_id, with_tasks=with_tasks)

    async def change(
        self,
        event_id: UUID,
        decide: Decide,
        *,
        now: datetime,
        task_id: UUID | None = None,
        with_tasks: bool = False,
        counted: Counted | None = None,
    ) -> None:
        async with self._database.transaction() as connection:
            await self.change_within(
                connection,
                event_id,
                decide,
                now=now,
                task_id=task_id,
                with_tasks=with_tasks,
                counted=counted,
            )

    async def change_within(
        self,
        connection: AsyncConnection,
        event_id: UUID,
        decide: Decide,
        *,
        now: datetime,
        task_id: UUID | None = None,
        with_tasks: bool = False,
        counted: Counted | None = None,
    ) -> None:
        """`change`, as a part of a transaction that does more."""
        found = (await connection.execute(HELD, {"event_id": event_id})).one_or_none()
        if found is None:
            raise EventNotFound("There is no such event.")
        others = await count_others(connection, counted, but_for=task_id, now=now)
        changes = decide(
            await sheet_of(connection, found, task_id, with_tasks=with_tasks, others=others)
        )
        entries: list[Entry] = []
        for change in changes:
            if isinstance(change, TakeBack):
                entries += await take_back(connection, event_id, change, now)
            else:
                await self._apply(connection, event_id, change, now)
        if any(not isinstance(each, Acted | TakeBack) for each in changes):
            version = found.revision + 1
            await revise(connection, event_id, version, now)
            entries.append(event_changed(event_id, version, changes))
        await write_entries(connection, entries, now)

    async def events_of(self, user_id: UserId, *, cursor: str | None, limit: int) -> Page[Event]:
        query = (
            sa.select(EVENTS)
            .join(MEMBERS, MEMBERS.c.event_id == EVENTS.c.id)
            .where(MEMBERS.c.user_id == user_id)
        )
        page = one_page(
            query, EVENTS.c.created_at, EVENTS.c.id, cursor=cursor, limit=limit, last_first=True
        )
        async with self._database.reading() as connection:
            rows = list(await connection.execute(page))
        return page_of(rows, event_of, at="created_at", limit=limit)

    async def tasks_of(
        self, event_id: UUID, *, cursor: str | None, limit: int, seen_by: UserId | None = None
    ) -> Page[Task]:
        query = sa.select(TASKS).where(TASKS.c.event_id == event_id, TASKS.c.deleted_at.is_(None))
        async with self._database.reading() as connection:
            if seen_by is not None:
                query = query.where(are_seen(connection, seen_by))
            page = one_page(query, TASKS.c.created_at, TASKS.c.id, cursor=cursor, limit=limit)
            rows = list(await connection.execute(page))
        return page_of(rows, task_of, at="created_at", limit=limit)

    async def acted(self, user_id: UserId, action_id: UUID) -> Acted | None:
        async with self._database.reading() as connection:
            return await read_acted(connection, user_id, action_id)

    async def told_together(self, user_id: UserId, key: bytes) -> Sequence[Actionable]:
        async with self._database.reading() as connection:
            return await read_together(connection, user_id, key)

    async def forget_actions(self, *, before: datetime, limit: int) -> int:
        async with self._database.transaction() as connection:
            return await forget_acted(connection, before=before, limit=limit)

    async def person(self, user_id: UserId) -> Person | None:
        query = sa.select(PEOPLE).where(PEOPLE.c.user_id == user_id)
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).one_or_none()
        return None if found is None else person_of(found)

    async def change_person(
        self, user_id: UserId, change: Callable[[Person | None], Person], *, now: datetime
    ) -> Person:
        held = sa.select(PEOPLE).where(PEOPLE.c.user_id == user_id).with_for_update()
        theirs = sa.union(
            sa.select(MEMBERS.c.event_id).where(MEMBERS.c.user_id == user_id),
            sa.select(GUESTS.c.event_id).where(GUESTS.c.user_id == user_id),
        )
        plans = sa.select(EVENTS.c.id).where(
            EVENTS.c.id.in_(theirs), EVENTS.c.cancelled_at.is_(None)
        )
        async with self._database.transaction() as connection:
            found = (await connection.execute(held)).one_or_none()
            if found is None:
                # No row to hold: who else is the first waits here, and then finds ours.
                await alone_with(connection, f"reminders_people:{user_id}")
                found = (await connection.execute(held)).one_or_none()
            before = None if found is None else person_of(found)
            after = change(before)
            if after == before:
                return after
            columns = columns_of_person(after)
            is_new_plan = before is None or of_plans(before) != of_plans(after)
            if is_new_plan:
                columns["plans_changed_at"] = now
            put = self._database.upsert(
                PEOPLE, on=["user_id"], update=[name for name in columns if name != "user_id"]
            )
            await connection.execute(put.values(columns))
            if is_new_plan:
                await connection.execute(marks_of(plans, now))
            await look(self._database, connection, user_id, now)
        return after

    async def _apply(
        self, connection: AsyncConnection, event_id: UUID, change: Change, now: datetime
    ) -> None:
        match change:
            case Event():
                columns = columns_of_event(change)
                await connection.execute(
                    EVENTS.update().where(EVENTS.c.id == event_id).values(columns)
                )
            case Member():
                put = self._database.upsert(
                    MEMBERS, on=["event_id", "user_id"], update=["role", "part", "call_at"]
                )
                await connection.execute(put.values(columns_of_member(change)))
                await look(self._database, connection, change.user_id, now)
            case RemoveMember(user_id):
                await connection.execute(
                    MEMBERS.delete().where(
                        MEMBERS.c.event_id == event_id, MEMBERS.c.user_id == user_id
                    )
                )
            case Task():
                await self._put(connection, TASKS, columns_of_task(change) | {"changed_at": now})
            case Rule():
                await self._put(connection, RULES, columns_of_rule(change))
            case Acted():
                await write_acted(self._database, connection, change)
            case Guest():
                await self._put_guest(connection, change)
            case RemoveGuest(guest_id):
                gone = GUESTS.delete().where(GUESTS.c.id == guest_id, GUESTS.c.event_id == event_id)
                await connection.execute(gone)
            case DropRule(rule_id):
                await connection.execute(
                    RULES.delete().where(RULES.c.id == rule_id, RULES.c.event_id == event_id)
                )

    async def _put_guest(self, connection: AsyncConnection, guest: Guest) -> None:
        """An invitation leaves an answer alone that is there already; an answer to one that was
        taken back meanwhile brings it not back."""
        columns = columns_of_guest(guest)
        if guest.answered_at is None:
            await connection.execute(self._database.insert_new(GUESTS, on=["id"]).values(columns))
            return
        invited = sa.and_(GUESTS.c.id == guest.id, GUESTS.c.event_id == guest.event_id)
        answered = await connection.execute(GUESTS.update().where(invited).values(columns))
        if answered.rowcount == 0:
            raise NotInvited("The user is not invited to this part.", user_id=guest.user_id)

    async def _put(self, connection: AsyncConnection, table: sa.Table, columns: Columns) -> None:
        """Update the event's own row, or insert a new one: never another event's."""
        own = sa.and_(table.c.id == columns["id"], table.c.event_id == columns["event_id"])
        updated = await connection.execute(table.update().where(own).values(columns))
        if updated.rowcount == 0:
            new = self._database.insert_new(table, on=["id"])
            inserted = await connection.execute(new.values(columns))
            if inserted.rowcount == 0:
                raise IdTaken("This id is taken.", id=str(columns["id"]))
