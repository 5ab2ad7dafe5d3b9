"""Actions that were taken on reminders, and what is acted on together."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import Instant, Row
from reminders.adapters.tables import USER


class ActionRow(Row, table=True):
    """An action and what it came to: whoever asks again is told the same."""

    __tablename__ = "reminder_actions"
    __table_args__ = (sa.Index("ix_reminder_actions_acted_at", "acted_at"),)

    user_id: str = Field(primary_key=True, sa_type=USER)
    action_id: UUID = Field(primary_key=True)
    kind: str = Field(sa_type=sa.String(24))
    firing: bytes = Field(sa_type=sa.LargeBinary(16))
    event_id: UUID
    task_id: UUID
    outcome: str = Field(sa_type=sa.String(16))
    asked_at: datetime = Field(sa_type=Instant)
    acted_at: datetime = Field(sa_type=Instant)
    until: datetime | None = Field(default=None, sa_type=Instant)


class ToldTogetherRow(Row, table=True):
    """A firing that was told with others, under the key of the first of them."""

    __tablename__ = "reminders_told_together"
    __table_args__ = (
        sa.Index("ix_reminders_told_together_event_id", "event_id", "task_id"),
        sa.Index("ix_reminders_told_together_told_at", "told_at"),
    )

    first_key: bytes = Field(primary_key=True, sa_type=sa.LargeBinary(16))
    dedupe_key: bytes = Field(primary_key=True, sa_type=sa.LargeBinary(16))
    user_id: str = Field(sa_type=USER)
    event_id: UUID
    task_id: UUID
    nominal_day: date
    told_at: datetime = Field(sa_type=Instant)
