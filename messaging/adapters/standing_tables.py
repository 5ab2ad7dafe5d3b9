"""Tables of what stands against users, and of when they were last there."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import Instant, Row
from messaging.adapters.tables import USER_ID


class RestrictionRow(Row, table=True):
    """What stands against a user or a token; `subject` names either."""

    __tablename__ = "restrictions"
    __table_args__ = (
        sa.Index("ix_restrictions_revision", "revision"),
        sa.Index("ix_restrictions_ends_at", "ends_at"),
    )

    kind: str = Field(primary_key=True, sa_type=sa.String(16))
    subject: str = Field(primary_key=True, sa_type=sa.String(255))
    channel: str = Field(primary_key=True, sa_type=sa.String(255))
    issued_before: datetime | None = Field(default=None, sa_type=Instant)
    reason: str = Field(sa_type=sa.Text)
    imposed_at: datetime = Field(sa_type=Instant)
    ends_at: datetime | None = Field(default=None, sa_type=Instant)
    revision: int = Field(sa_type=sa.BigInteger)


class RestrictionRevisionRow(Row, table=True):
    """The one row with the newest revision. Its lock puts changes in the order of their commits."""

    __tablename__ = "restriction_revisions"

    id: int = Field(primary_key=True)
    newest: int = Field(sa_type=sa.BigInteger)


class UserStatusRow(Row, table=True):
    """When a user's last connection ended, and when they were active."""

    __tablename__ = "user_statuses"

    user_id: str = Field(primary_key=True, sa_type=USER_ID)
    last_seen_at: datetime | None = Field(default=None, sa_type=Instant)
    active_at: datetime | None = Field(default=None, sa_type=Instant)


class SightingRow(Row, table=True):
    """A user has connections at a node, or had them when it died."""

    __tablename__ = "sightings"
    __table_args__ = (sa.Index("ix_sightings_node", "node"),)

    user_id: str = Field(primary_key=True, sa_type=USER_ID)
    node: str = Field(primary_key=True, sa_type=sa.String(32))
    since: datetime = Field(sa_type=Instant)


class SignOfLifeRow(Row, table=True):
    """When a node was last there."""

    __tablename__ = "signs_of_life"

    node: str = Field(primary_key=True, sa_type=sa.String(32))
    seen_at: datetime = Field(sa_type=Instant)
