"""What devices hold of their users' reminders."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import JSON_TEXT, Instant, Row
from reminders.adapters.tables import USER


class AlarmSyncRow(Row, table=True):
    """What a device acknowledged last. No foreign key: devices are another room's."""

    __tablename__ = "alarm_syncs"
    __table_args__ = (
        sa.Index("ix_alarm_syncs_user_id", "user_id"),
        sa.Index("ix_alarm_syncs_acknowledged_at", "acknowledged_at"),
    )

    device_id: UUID = Field(primary_key=True)
    user_id: str = Field(sa_type=USER)
    alarms: str = Field(sa_type=JSON_TEXT)
    until: datetime = Field(sa_type=Instant)
    acknowledged_at: datetime = Field(sa_type=Instant)
    stale_at: datetime | None = Field(default=None, sa_type=Instant)
