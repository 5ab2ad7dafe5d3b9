"""Events' conversations, and where in them tasks are spoken of."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import Instant, Row
from reminders.adapters.tables import USER


class EventConversationRow(Row, table=True):
    """The conversation in which an event is spoken of. It is another room's: no foreign key."""

    __tablename__ = "event_conversations"

    event_id: UUID = Field(primary_key=True, foreign_key="events.id", ondelete="CASCADE")
    conversation_id: UUID
    linked_at: datetime = Field(sa_type=Instant)


class TaskCardRow(Row, table=True):
    """A message about a task."""

    __tablename__ = "task_cards"
    __table_args__ = (sa.Index("ix_task_cards_task_id", "task_id", "sent_at"),)

    message_id: UUID = Field(primary_key=True)
    conversation_id: UUID
    offset: int = Field(sa_type=sa.BigInteger)
    event_id: UUID = Field(foreign_key="events.id", ondelete="CASCADE")
    task_id: UUID
    user_id: str = Field(sa_type=USER)
    sent_at: datetime = Field(sa_type=Instant)
