"""Actions that were taken on reminders."""

from datetime import datetime
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
