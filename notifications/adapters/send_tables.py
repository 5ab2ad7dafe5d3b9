"""The tables of sends and lists."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import JSON_TEXT, Instant, Row
from kernel.adapters.tables import partial_index


class SendRow(Row, table=True):
    """A send. `targeted` is known once `planned_at` says that all of it is handed on.

    `following` while pushes may wait that a cancellation must still end. `watched` is for
    nodes of the release before this one; whom to tell of a push is known by the push.
    """

    __tablename__ = "sends"
    __table_args__ = (
        sa.Index("ix_sends_created_at", "created_at", "id"),
        partial_index("ix_sends_expanding", "id", where="planned_at IS NULL"),
        partial_index("ix_sends_following", "id", where="following"),
    )

    id: UUID = Field(primary_key=True)
    key_id: UUID
    idempotency_key: str = Field(sa_type=sa.String(128))
    test: bool
    audience: str = Field(sa_type=JSON_TEXT)
    words: str = Field(sa_type=JSON_TEXT)
    urgency: str = Field(sa_type=sa.String(16))
    category: str = Field(sa_type=sa.String(64))
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    planned_at: datetime | None = Field(default=None, sa_type=Instant)
    cancelled_at: datetime | None = Field(default=None, sa_type=Instant)
    targeted: int = 0
    cursor: str = Field(default="", sa_type=sa.String(128))
    following: bool = False
    watched: bool = False


class ListRow(Row, table=True):
    """Users kept under a name."""

    __tablename__ = "user_lists"

    id: str = Field(primary_key=True, sa_type=sa.String(64))
    created_at: datetime = Field(sa_type=Instant)
    changed_at: datetime = Field(sa_type=Instant)


class ListedRow(Row, table=True):
    """A user of a list."""

    __tablename__ = "listed_users"

    list_id: str = Field(
        primary_key=True, sa_type=sa.String(64), foreign_key="user_lists.id", ondelete="CASCADE"
    )
    user_id: str = Field(primary_key=True, sa_type=sa.String(128))
    added_at: datetime = Field(sa_type=Instant)
