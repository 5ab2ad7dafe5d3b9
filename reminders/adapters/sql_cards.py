"""Events' conversations and the cards in them, in tables."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from reminders.adapters.card_tables import EventConversationRow, TaskCardRow
from reminders.card import Card

CONVERSATIONS = table_of(EventConversationRow)
CARDS = table_of(TaskCardRow)


class SqlCardStore:
    """One adapter for both databases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def link(self, event_id: UUID, conversation_id: UUID, *, now: datetime) -> None:
        put = self._database.upsert(
            CONVERSATIONS, on=["event_id"], update=["conversation_id", "linked_at"]
        )
        columns = {"event_id": event_id, "conversation_id": conversation_id, "linked_at": now}
        async with self._database.transaction() as connection:
            await connection.execute(put.values(columns))

    async def unlink(self, event_id: UUID) -> None:
        gone = CONVERSATIONS.delete().where(CONVERSATIONS.c.event_id == event_id)
        async with self._database.transaction() as connection:
            await connection.execute(gone)

    async def conversation(self, event_id: UUID) -> UUID | None:
        query = sa.select(CONVERSATIONS.c.conversation_id).where(
            CONVERSATIONS.c.event_id == event_id
        )
        async with self._database.reading() as connection:
            found: UUID | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def add(self, card: Card) -> None:
        new = self._database.insert_new(CARDS, on=["message_id"]).values(
            message_id=card.message_id,
            conversation_id=card.conversation_id,
            offset=card.offset,
            event_id=card.event_id,
            task_id=card.task_id,
            user_id=card.user_id,
            sent_at=card.sent_at,
        )
        async with self._database.transaction() as connection:
            await connection.execute(new)

    async def of(self, task_id: UUID, *, limit: int) -> Sequence[Card]:
        query = (
            sa.select(CARDS)
            .where(CARDS.c.task_id == task_id)
            .order_by(CARDS.c.sent_at.desc(), CARDS.c.offset.desc(), CARDS.c.message_id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [
                Card(
                    row.conversation_id,
                    row.offset,
                    row.message_id,
                    row.event_id,
                    row.task_id,
                    UserId(row.user_id),
                    row.sent_at,
                )
                for row in await connection.execute(query)
            ]
