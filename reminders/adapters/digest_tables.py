"""Tables of what users are told once a day, and of how often they are told on one."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import Instant, Row
from kernel.adapters.tables import partial_index
from reminders.adapters.tables import USER


class DigestTurnRow(Row, table=True):
    """When a user's next digest is due. Without `planned_on` that is to be found out first."""

    __tablename__ = "digest_turns"
    __table_args__ = (sa.Index("ix_digest_turns_due_at", "due_at"),)

    user_id: str = Field(primary_key=True, sa_type=USER)
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    planned_on: date | None = None
    told_on: date | None = None


class DigestItemRow(Row, table=True):
    """A firing that the user's next digest tells; `told_at` is when one did."""

    __tablename__ = "digest_items"
    __table_args__ = (
        partial_index("ix_digest_items_waiting", "user_id", where="told_at IS NULL"),
        sa.Index("ix_digest_items_told_at", "told_at"),
    )

    dedupe_key: bytes = Field(primary_key=True, sa_type=sa.LargeBinary(16))
    user_id: str = Field(sa_type=USER)
    event_id: UUID
    task_id: UUID
    nominal_day: date
    folded_at: datetime = Field(sa_type=Instant)
    told_at: datetime | None = Field(default=None, sa_type=Instant)


class BudgetRow(Row, table=True):
    """The pushes of policy that a user's day has had: their keys, one after the other."""

    __tablename__ = "reminder_budgets"
    __table_args__ = (sa.Index("ix_reminder_budgets_day", "day"),)

    user_id: str = Field(primary_key=True, sa_type=USER)
    day: date = Field(primary_key=True)
    spent: bytes = Field(sa_type=sa.LargeBinary)
