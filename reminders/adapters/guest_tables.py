"""Tables of guests, and of who asked not to be asked."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import Instant, Row
from reminders.adapters.tables import USER


class GuestRow(Row, table=True):
    """A user who is invited to a part of an event."""

    __tablename__ = "event_guests"
    __table_args__ = (
        sa.Index("ix_event_guests_event_id", "event_id", "part", "id"),
        sa.Index("ix_event_guests_user_id", "user_id"),
    )

    id: UUID = Field(primary_key=True)
    event_id: UUID = Field(foreign_key="events.id", ondelete="CASCADE")
    user_id: str = Field(sa_type=USER)
    part: str = Field(sa_type=sa.String(32))
    invited_at: datetime = Field(sa_type=Instant)
    answer: str = Field(sa_type=sa.String(8))
    answered_at: datetime | None = Field(default=None, sa_type=Instant)


class OptOutRow(Row, table=True):
    """A user whom an event's hosts do not ask; without an event, nobody's."""

    __tablename__ = "guest_opt_outs"

    user_id: str = Field(primary_key=True, sa_type=USER)
    event_id: UUID = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
