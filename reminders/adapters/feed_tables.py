"""The table of calendar feeds."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import Instant, Row
from reminders.adapters.tables import USER

ALL_EVENTS = UUID(int=0)
"""The event of a feed that is of all its user's events: unlike null it can be unique."""


class FeedRow(Row, table=True):
    """A calendar feed; a user has one of an event."""

    __tablename__ = "calendar_feeds"
    __table_args__ = (sa.UniqueConstraint("user_id", "event_id"),)

    id: UUID = Field(primary_key=True)
    user_id: str = Field(sa_type=USER)
    event_id: UUID
    secret_hash: bytes = Field(unique=True, sa_type=sa.LargeBinary(32))
    shown: str = Field(sa_type=sa.String(8))
    whose: str = Field(sa_type=sa.String(8))
    created_at: datetime = Field(sa_type=Instant)
