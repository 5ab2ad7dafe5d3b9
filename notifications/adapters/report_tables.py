"""The table of reports."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import Instant, Row
from kernel.adapters.tables import partial_index
from notifications.adapters.tables import OF_SEND


class ReportRow(Row, table=True):
    """What a device said about a push; each of its events once."""

    __tablename__ = "reports"
    __table_args__ = (
        partial_index("ix_reports_send_id_event", "send_id", "event", where=OF_SEND),
        partial_index("ix_reports_untold", "reported_at", where="untold"),
    )

    push_id: UUID = Field(primary_key=True, foreign_key="pushes.id", ondelete="CASCADE")
    event: str = Field(primary_key=True, sa_type=sa.String(16))
    send_id: UUID | None = None
    at: datetime = Field(sa_type=Instant)
    reported_at: datetime = Field(sa_type=Instant)
    untold: bool = False
