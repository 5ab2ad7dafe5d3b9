"""Erasing a user from every table of this room that names one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, Row, table_of
from kernel.adapters.sql_outbox import write_entries
from kernel.adapters.tables import OutboxRow
from kernel.ids import UserId
from reminders.adapters.action_tables import ActionRow, ToldTogetherRow
from reminders.adapters.alarm_tables import AlarmSyncRow
from reminders.adapters.card_tables import TaskCardRow
from reminders.adapters.digest_tables import BudgetRow, DigestItemRow, DigestTurnRow
from reminders.adapters.feed_tables import FeedRow
from reminders.adapters.guest_tables import GuestRow, OptOutRow
from reminders.adapters.mapping import EVENTS, LOG, MARKS, MEMBERS, RULES, TASKS
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.tables import FiringLogRow, FiringRow, PersonRow
from reminders.adapters.taking_back import take_back
from reminders.alarm import ALARMS_CHANGED
from reminders.erasing import without
from reminders.news import EVENT_CHANGED, event_changed
from reminders.ports import Change, RemoveMember, TakeBack
from reminders.types import Sheet

NOBODY = ""
"""Who spoke of a task, once they were erased: what they said is the conversation's."""

DELETED: tuple[type[Row], ...] = (
    PersonRow,
    FiringRow,
    FiringLogRow,
    GuestRow,
    OptOutRow,
    FeedRow,
    AlarmSyncRow,
    ActionRow,
    ToldTogetherRow,
    DigestTurnRow,
    DigestItemRow,
    BudgetRow,
)
"""Tables whose rows of a user go as they are. The others that name users are dealt with below."""

DEALT_WITH: tuple[str, ...] = ("events", "event_members", "tasks", "rules", "task_cards")

_CARDS = table_of(TaskCardRow)
_GUESTS = table_of(GuestRow)
_OUTBOX = table_of(OutboxRow)

_OF_EVENT = (
    LOG,
    MARKS,
    table_of(OptOutRow),
    table_of(FeedRow),
    table_of(ActionRow),
    table_of(ToldTogetherRow),
    table_of(DigestItemRow),
)
"""Tables with rows of an event that do not go with it by themselves."""


class CalendarEraser:
    """A part of whatever transaction erases the user."""

    def __init__(self, database: Database) -> None:
        self._calendar = SqlCalendarStore(database)

    async def erase(
        self, connection: AsyncConnection, user_id: UserId, now: datetime
    ) -> Mapping[str, int]:
        """Delete what is kept of a user; how many rows of each kind went, or were changed."""
        await _forget_news(connection, user_id)
        gone = {"events": 0, "events_changed": 0}
        for event_id in await _events_naming(connection, user_id):
            changes = await self._leave(connection, event_id, user_id, now)
            if changes is None:
                await _end(connection, event_id, now)
            gone["events"] += changes is None
            gone["events_changed"] += bool(changes)
        for row in DELETED:
            table = table_of(row)
            deleting = table.delete().where(table.c.user_id == user_id)
            gone[table.name] = (await connection.execute(deleting)).rowcount
        spoke = _CARDS.update().where(_CARDS.c.user_id == user_id).values(user_id=NOBODY)
        gone["task_cards"] = (await connection.execute(spoke)).rowcount
        return gone

    async def _leave(
        self, connection: AsyncConnection, event_id: UUID, user_id: UserId, now: datetime
    ) -> Sequence[Change] | None:
        """Take the user out of an event; None if nobody is left then to decide about it."""
        decided: list[Sequence[Change] | None] = []

        def decide(sheet: Sheet) -> Sequence[Change]:
            decided.append(without(sheet, user_id))
            return decided[0] or ()

        await self._calendar.change_within(connection, event_id, decide, now=now, with_tasks=True)
        return decided[0]


async def _events_naming(connection: AsyncConnection, user_id: UserId) -> Sequence[UUID]:
    """Every event that the user is in, invited to or named in; held, in one order, before
    anything else is touched: whoever plans one of them may wait for what is touched then."""
    name = msgspec.json.encode(user_id).decode()
    of_user = sa.union(
        sa.select(MEMBERS.c.event_id).where(MEMBERS.c.user_id == user_id),
        sa.select(_GUESTS.c.event_id).where(_GUESTS.c.user_id == user_id),
        sa.select(RULES.c.event_id).where(RULES.c.user_id == user_id),
        sa.select(EVENTS.c.id).where(
            sa.or_(EVENTS.c.created_by == user_id, EVENTS.c.moved.contains(name, autoescape=True))
        ),
        sa.select(TASKS.c.event_id).where(
            sa.or_(
                TASKS.c.assignee_id == user_id,
                TASKS.c.created_by == user_id,
                TASKS.c.details.contains(name, autoescape=True),
            )
        ),
    )
    found = sorted((await connection.execute(of_user)).scalars())
    holding = sa.select(EVENTS.c.id).where(among(connection, EVENTS.c.id, found))
    held = holding.order_by(EVENTS.c.id).with_for_update(key_share=True)
    return list((await connection.execute(held)).scalars())


async def _end(connection: AsyncConnection, event_id: UUID, now: datetime) -> None:
    """Delete an event that nobody decides about any more, and take back what was told of it.
    Who still was in it is told that they are no longer."""
    recalls = await take_back(connection, event_id, TakeBack(), now)
    for table in _OF_EVENT:
        await connection.execute(table.delete().where(table.c.event_id == event_id))
    of_event = _OUTBOX.c.payload.contains(f'"event_id":"{event_id}"')
    news = _OUTBOX.delete().where(_OUTBOX.c.kind == EVENT_CHANGED, of_event)
    await connection.execute(news)
    members = sa.select(MEMBERS.c.user_id).where(MEMBERS.c.event_id == event_id)
    left = [RemoveMember(each) for each in (await connection.execute(members)).scalars()]
    ending = EVENTS.delete().where(EVENTS.c.id == event_id).returning(EVENTS.c.revision)
    version = (await connection.execute(ending)).scalar_one() + 1
    await write_entries(connection, [*recalls, event_changed(event_id, version, left)], now)


async def _forget_news(connection: AsyncConnection, user_id: UserId) -> None:
    """What is told to the user, or of them, is not any more. That they leave will be: the outbox
    keeps that as long as all it handed over."""
    name = msgspec.json.encode(user_id).decode()
    to_them = _OUTBOX.delete().where(
        _OUTBOX.c.kind == ALARMS_CHANGED,
        _OUTBOX.c.payload.contains(f'"user_id":{name}', autoescape=True),
    )
    await connection.execute(to_them)
    left = f'"left":[{name}]'
    of_them = _OUTBOX.update().where(
        _OUTBOX.c.kind == EVENT_CHANGED, _OUTBOX.c.payload.contains(left, autoescape=True)
    )
    unnamed = sa.func.replace(_OUTBOX.c.payload, left, '"left":[]')
    await connection.execute(of_them.values(payload=unnamed))
