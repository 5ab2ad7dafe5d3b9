"""Calendar feeds in a table, and what they say from those of events and tasks."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.alone import alone_with
from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from reminders.adapters.feed_tables import ALL_EVENTS, FeedRow
from reminders.adapters.mapping import (
    EVENTS,
    MEMBERS,
    PEOPLE,
    TASKS,
    Columns,
    Selected,
    event_of,
    task_of,
)
from reminders.adapters.person_columns import person_of
from reminders.adapters.seen import are_seen
from reminders.feeds.types import Chapter, Edition, Feed, Reading, Shown, Whose
from reminders.types import Role, Task

FEEDS = table_of(FeedRow)


class SqlFeedStore:
    """One adapter for both databases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue(self, feed: Feed, *, secret_hash: bytes, limit: int) -> bool:
        columns = _columns(feed) | {"secret_hash": secret_hash}
        put = self._database.upsert(
            FEEDS,
            on=["user_id", "event_id"],
            update=[name for name in columns if name not in ("user_id", "event_id")],
        )
        others = (
            sa.select(sa.func.count())
            .select_from(FEEDS)
            .where(FEEDS.c.user_id == feed.user_id, FEEDS.c.event_id != columns["event_id"])
        )
        async with self._database.transaction() as connection:
            await alone_with(connection, f"calendar_feeds:{feed.user_id}")
            if (await connection.execute(others)).scalar_one() >= limit:
                return False
            await connection.execute(put.values(columns))
        return True

    async def of_user(self, user_id: UserId) -> Sequence[Feed]:
        query = (
            sa.select(FEEDS)
            .where(FEEDS.c.user_id == user_id)
            .order_by(FEEDS.c.created_at.desc(), FEEDS.c.id)
        )
        async with self._database.reading() as connection:
            return [_feed(row) for row in await connection.execute(query)]

    async def revoke(self, feed_id: UUID, *, owner: UserId) -> bool:
        gone = FEEDS.delete().where(FEEDS.c.id == feed_id, FEEDS.c.user_id == owner)
        async with self._database.transaction() as connection:
            return (await connection.execute(gone)).rowcount > 0

    async def reading(self, secret_hash: bytes, *, events: int) -> Reading | None:
        named = sa.select(FEEDS).where(FEEDS.c.secret_hash == secret_hash)
        async with self._database.reading() as connection:
            row = (await connection.execute(named)).one_or_none()
            if row is None:
                return None
            feed = _feed(row)
            editions = (
                sa.select(EVENTS.c.id, EVENTS.c.revision, MEMBERS.c.role)
                .join(MEMBERS, MEMBERS.c.event_id == EVENTS.c.id)
                .where(MEMBERS.c.user_id == feed.user_id)
                .order_by(EVENTS.c.day.desc().nulls_last(), EVENTS.c.id)
                .limit(events)
            )
            if feed.event_id is not None:
                editions = editions.where(EVENTS.c.id == feed.event_id)
            found = [
                Edition(each.id, each.revision, Role(each.role))
                for each in await connection.execute(editions)
            ]
            if feed.event_id is not None and not found:
                return None
            known = sa.select(PEOPLE).where(PEOPLE.c.user_id == feed.user_id)
            person = (await connection.execute(known)).one_or_none()
        return Reading(feed, None if person is None else person_of(person), found)

    async def chapters(self, reading: Reading, *, tasks: int) -> Sequence[Chapter]:
        ids = [each.event_id for each in reading.editions]
        of_events = sa.select(EVENTS).where(EVENTS.c.id.in_(ids))
        async with self._database.reading() as connection:
            of_tasks = (
                sa.select(TASKS)
                .where(TASKS.c.event_id.in_(ids), TASKS.c.deleted_at.is_(None))
                .where(are_seen(connection, reading.feed.user_id))
                .order_by(TASKS.c.created_at.desc(), TASKS.c.id)
                .limit(tasks)
            )
            events = {
                row.id: (event_of(row), row.changed_at or row.created_at)
                for row in await connection.execute(of_events)
            }
            by_event: dict[UUID, list[tuple[Task, datetime]]] = defaultdict(list)
            for row in await connection.execute(of_tasks):
                by_event[row.event_id].append((task_of(row), row.changed_at or row.created_at))
        return [
            Chapter(*events[each.event_id], each.role, by_event[each.event_id][::-1])
            for each in reading.editions
            if each.event_id in events
        ]


def _columns(feed: Feed) -> Columns:
    return {
        "id": feed.id,
        "user_id": feed.user_id,
        "event_id": feed.event_id or ALL_EVENTS,
        "shown": str(feed.shown),
        "whose": str(feed.whose),
        "created_at": feed.created_at,
    }


def _feed(row: Selected) -> Feed:
    return Feed(
        id=row.id,
        user_id=UserId(row.user_id),
        event_id=None if row.event_id == ALL_EVENTS else row.event_id,
        shown=Shown(row.shown),
        whose=Whose(row.whose),
        created_at=row.created_at,
    )
