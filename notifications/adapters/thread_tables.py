"""The table of what devices were told of threads."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import Instant, Row


class ToldRow(Row, table=True):
    """What a device was last told of a thread; its id follows from both.

    `notices` is 0 as long as that is nothing. `words` are what is said at `place`, and
    `before_id` the push that left before `push_id`, if one did.
    Without foreign keys: what is old is deleted.
    """

    __tablename__ = "told_threads"
    __table_args__ = (
        sa.Index("ix_told_threads_user_id", "user_id"),
        sa.Index("ix_told_threads_due_at", "due_at"),
    )

    id: UUID = Field(primary_key=True)
    device_id: UUID
    user_id: str = Field(sa_type=sa.String(128))
    thread: str = Field(sa_type=sa.String(128))
    push_id: UUID
    due_at: datetime = Field(sa_type=Instant)
    place: int = Field(sa_type=sa.BigInteger)
    notices: int = Field(sa_type=sa.Integer)
    shown: bool
    words: str = Field(
        default="", sa_type=sa.Text, sa_column_kwargs={"server_default": sa.text("''")}
    )
    before_id: UUID | None = None
