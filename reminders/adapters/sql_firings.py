"""Firings in a table, their log, and the marks that say which plans to make again.

Locks are always taken in one order, so nobody waits in a circle: a planner holds the event's
row and then touches firings; a scheduler holds firings and then only adds rows that nobody
can be waiting for.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import AMONG
from kernel.adapters.database import Database
from kernel.adapters.plans import by_keys
from kernel.ids import UserId
from reminders.adapters.firing_columns import firing_of
from reminders.adapters.firing_log import settled_about
from reminders.adapters.forgotten import oldest
from reminders.adapters.mapping import EVENTS, FIRINGS, LOG, MARKS, TASKS, event_of
from reminders.adapters.places import one_page, page_of
from reminders.adapters.plan_inputs import inputs_of, record_of, waiting_of
from reminders.adapters.plan_rows import Difference, write
from reminders.adapters.seen import are_seen
from reminders.adapters.settling import DueRows, Judge, judged_of, settle, with_truth
from reminders.adapters.usual_path import Usual, settle_usual, take
from reminders.firing import (
    ABOUT_EVENT,
    Coming,
    Firing,
    Judgement,
    Look,
    Outcome,
    Settled,
    Tally,
)
from reminders.identity import SHARDS
from reminders.ports import Backlog, Reconciled
from reminders.types import Inputs

MARKS_OF_EACH = 4
"""So many marks are looked at for each event that is wanted: who edits makes some in a row."""


class SqlFiringStore:
    """Any number of schedulers and planners may work at once; on PostgreSQL a firing that one
    scheduler holds is passed over by the others."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def to_plan(
        self, *, top_up_before: datetime, limit: int, without: Collection[UUID]
    ) -> Sequence[UUID]:
        # In the order of the index, however many there are; one event may have several.
        marked = (
            sa.select(MARKS.c.event_id)
            .where(MARKS.c.event_id.not_in(without))
            .order_by(MARKS.c.bulk, MARKS.c.id)
            .limit(MARKS_OF_EACH * limit)
        )
        ending = (
            sa.select(EVENTS.c.id)
            .where(
                EVENTS.c.planned_until < top_up_before,
                EVENTS.c.cancelled_at.is_(None),
                EVENTS.c.id.not_in(without),
            )
            .order_by(EVENTS.c.planned_until)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            ids = list(dict.fromkeys((await connection.execute(marked)).scalars()))
            if len(ids) < limit:
                ids += (await connection.execute(ending)).scalars()
        return list(dict.fromkeys(ids))[:limit]

    async def reconcile(
        self,
        event_ids: Collection[UUID],
        plan: Callable[[Inputs], Sequence[Firing]],
        *,
        since: datetime,
        until: datetime,
        now: datetime,
    ) -> Reconciled:
        async with self._database.transaction() as connection:
            held = _HELD[connection.dialect.name]
            named = {"events": list(event_ids)}
            found = list(await connection.execute(held.hold, named))
            # Marks go first: one that is made from here on is about something newer.
            await connection.execute(held.unmark, named)
            if not found:
                return Reconciled()
            ids = [row.id for row in found]
            waiting = await waiting_of(connection, ids)
            record = await record_of(connection, ids)
            difference = Difference()
            for inputs in await inputs_of(connection, list(map(event_of, found)), waiting):
                of = inputs.event.id
                difference.find(waiting[of], plan(inputs), record[of], since=since, now=now)
                # What else this process does has its turn between two plans.
                await asyncio.sleep(0)  # noqa: TID251 - no time is to pass
            await connection.execute(held.reach, {**named, "until": until, "planned_until": until})
            return await write(connection, difference, now)

    async def due_shards(self, look: Look) -> Mapping[int, datetime]:
        # One look at the left edge of the index per shard: grouping would read the backlog.
        shards = sa.values(sa.column("shard", sa.Integer), name="all_shards").data(
            [(shard,) for shard in range(2 * SHARDS)]
        )
        shard = shards.cte("shards")
        oldest = (
            sa.select(FIRINGS.c.due_at)
            .where(FIRINGS.c.shard == shard.c.shard, *_seen(look))
            .order_by(FIRINGS.c.due_at)
            .limit(1)
            .scalar_subquery()
        )
        async with self._database.reading() as connection:
            rows = list(await connection.execute(sa.select(shard.c.shard, oldest.label("due_at"))))
        return {row.shard: row.due_at for row in rows if row.due_at}

    async def fire_due(
        self,
        shard: int,
        judge: Judge,
        usual: Usual,
        *,
        look: Look,
        now: datetime,
        limit: int,
    ) -> Sequence[Tally]:
        due = _due(shard, look, limit)
        try:
            return await self._fire(due, judge, usual, now, look.by_user)
        except (sa.exc.DataError, sa.exc.IntegrityError):
            return await self._fire_one_by_one(due, judge, now)

    async def upcoming(self, user_id: UserId, *, cursor: str | None, limit: int) -> Coming:
        query = sa.select(FIRINGS).where(FIRINGS.c.user_id == user_id)
        page = one_page(query, FIRINGS.c.due_at, FIRINGS.c.id, cursor=cursor, limit=limit)
        async with self._database.reading() as connection:
            rows = list(await connection.execute(page))
            shown = page_of(rows, firing_of, at="due_at", limit=limit)
            called = sa.union_all(
                sa.select(EVENTS.c.id, EVENTS.c.title).where(
                    EVENTS.c.id.in_({each.event_id for each in shown.items})
                ),
                sa.select(TASKS.c.id, TASKS.c.title).where(
                    TASKS.c.id.in_({each.task_id for each in shown.items}),
                    TASKS.c.deleted_at.is_(None),
                    are_seen(connection, user_id),
                ),
            )
            titles = {row.id: row.title for row in await connection.execute(called)}
        # A task may be gone, or theirs no more, and the plan not made again yet.
        items = [
            each
            for each in shown.items
            if each.firing_class in ABOUT_EVENT or each.task_id in titles
        ]
        return Coming(items, shown.cursor, titles)

    async def settled(self, task_id: UUID, user_id: UserId) -> Sequence[Settled]:
        async with self._database.reading() as connection:
            return await settled_about(connection, task_id, user_id)

    async def backlog(self, now: datetime) -> Backlog:
        query = sa.select(sa.func.count(), sa.func.min(MARKS.c.marked_at)).select_from(MARKS)
        ending = sa.select(sa.func.min(EVENTS.c.planned_until)).where(
            EVENTS.c.cancelled_at.is_(None)
        )
        async with self._database.reading() as connection:
            marks, oldest = (await connection.execute(query)).one()
            ends = (await connection.execute(ending)).scalar_one()
        age = 0.0 if oldest is None else (now - oldest).total_seconds()
        reach = None if ends is None else (ends - now).total_seconds()
        return Backlog(marks, max(0.0, age), reach)

    async def forget(self, *, before: date, limit: int) -> int:
        # What is about a day long ago may have been told today.
        told = LOG.c.decided_at < datetime.combine(before, time(), UTC)
        old = oldest(LOG, LOG.c.nominal_day, told, before=before, limit=limit)
        async with self._database.transaction() as connection:
            return (await connection.execute(old)).rowcount

    async def _fire(
        self, due: sa.Select[Any], judge: Judge, usual: Usual, now: datetime, by_user: bool
    ) -> Sequence[Tally]:
        async with self._database.transaction() as connection:
            await by_keys(connection)
            taken = await take(connection, due, usual)
            tallies, remain = await settle_usual(connection, taken, now, by_user=by_user)
            if not remain:
                return tallies
            left = sa.select(FIRINGS).where(FIRINGS.c.id.in_(taken.left))
            return [*tallies, *await self._judge(connection, left, judge, now, by_user)]

    async def _judge(
        self,
        connection: AsyncConnection,
        due: DueRows,
        judge: Judge,
        now: datetime,
        by_user: bool = False,
    ) -> Sequence[Tally]:
        rows = list(await connection.execute(with_truth(due)))
        judged = [(row, judged_of(row, judge)) for row in rows]
        return await settle(self._database, connection, judged, now, by_user=by_user)

    async def _fire_one_by_one(
        self, due: sa.Select[Any], judge: Judge, now: datetime
    ) -> Sequence[Tally]:
        """The database refused something in the batch: find out which firing, and bury it."""
        async with self._database.reading() as connection:
            ids = [row.id for row in await connection.execute(due)]
        tallies: list[Tally] = []
        for key in ids:
            one = sa.select(FIRINGS).where(FIRINGS.c.id == key).with_for_update(skip_locked=True)
            try:
                async with self._database.transaction() as connection:
                    tallies += await self._judge(connection, one, judge, now)
            except (sa.exc.DataError, sa.exc.IntegrityError) as error:
                buried = _dead(f"refused by the database: {type(error.orig).__name__}")
                async with self._database.transaction() as connection:
                    tallies += await self._judge(connection, one, buried, now)
        return tallies


@dataclass(frozen=True, slots=True)
class _Held:
    """What is done to the events themselves. Held in one order: planners that want the same
    events wait for each other, and not in a circle."""

    hold: sa.Select[Any]
    unmark: sa.Delete
    reach: sa.Update


_HELD = {
    dialect: _Held(
        hold=sa.select(EVENTS)
        .where(is_among(EVENTS.c.id, "events"))
        .order_by(EVENTS.c.id)
        .with_for_update(key_share=True),
        unmark=MARKS.delete().where(is_among(MARKS.c.event_id, "events")),
        reach=EVENTS.update().where(
            is_among(EVENTS.c.id, "events"), EVENTS.c.planned_until != sa.bindparam("until")
        ),
    )
    for dialect, is_among in AMONG.items()
}


def _dead(reason: str) -> Judge:
    return lambda _: Judgement(Outcome.DEAD, reason)


def _seen(look: Look) -> Iterator[sa.ColumnElement[bool]]:
    yield FIRINGS.c.due_at <= look.until
    if look.since is not None:
        yield FIRINGS.c.due_at >= look.since
    if look.paused:
        yield FIRINGS.c.firing_class.not_in([str(each) for each in look.paused])


def _due(shard: int, look: Look, limit: int) -> sa.Select[Any]:
    # One shard, so that the index gives the order and the cost does not grow with the backlog.
    seen = (FIRINGS.c.shard == shard, *_seen(look))
    due = (
        sa.select(
            FIRINGS.c.id,
            FIRINGS.c.event_id,
            FIRINGS.c.user_id,
            FIRINGS.c.rule_id,
            FIRINGS.c.firing_class,
        )
        .where(*seen)
        .order_by(FIRINGS.c.due_at, FIRINGS.c.id)
        .with_for_update(of=FIRINGS, skip_locked=True)
    )
    if not look.by_user:
        return due.limit(limit)
    first = (
        sa.select(FIRINGS.c.user_id)
        .where(*seen)
        .order_by(FIRINGS.c.due_at, FIRINGS.c.id)
        .limit(limit)
        .cte("first")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return due.where(FIRINGS.c.user_id.in_(sa.select(first.c.user_id)))
