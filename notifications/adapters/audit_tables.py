"""The table of the audit trail."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import JSON_TEXT, Instant, Row


class AuditRow(Row, table=True):
    """Something that was done. Ids are made in the order of time."""

    __tablename__ = "audit_records"
    __table_args__ = (
        sa.Index("ix_audit_records_subject_id", "subject", "id"),
        sa.Index("ix_audit_records_user_id_id", "user_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    actor: str = Field(sa_type=sa.String(255))
    action: str = Field(sa_type=sa.String(64))
    subject: str = Field(sa_type=sa.String(255))
    user_id: str | None = Field(default=None, sa_type=sa.String(128))
    details: str = Field(sa_type=JSON_TEXT)
