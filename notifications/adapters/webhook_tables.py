"""The tables of webhooks and their outbox."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import JSON_TEXT, Instant, Row
from kernel.adapters.tables import partial_index

_NOTHING: dict[str, object] = {"server_default": sa.text("'[]'")}


class WebhookRow(Row, table=True):
    """Who is told of what. Secrets are sealed; the former one is good until it expires."""

    __tablename__ = "webhooks"

    id: UUID = Field(primary_key=True)
    url: str = Field(sa_type=sa.Text)
    kinds: str = Field(sa_type=JSON_TEXT)
    secret: str = Field(sa_type=sa.Text)
    former_secret: str = Field(default="", sa_type=sa.Text)
    former_until: datetime | None = Field(default=None, sa_type=Instant)
    created_at: datetime = Field(sa_type=Instant)
    enabled: bool = True
    origins: str = Field(
        sa_type=JSON_TEXT, sa_column_kwargs={"server_default": sa.text("'[\"send\"]'")}
    )
    urgencies: str = Field(default="[]", sa_type=JSON_TEXT, sa_column_kwargs=_NOTHING)
    categories: str = Field(default="[]", sa_type=JSON_TEXT, sa_column_kwargs=_NOTHING)
    failing_since: datetime | None = Field(default=None, sa_type=Instant)
    failures: int = Field(default=0, sa_column_kwargs={"server_default": sa.text("0")})
    resting_until: datetime | None = Field(default=None, sa_type=Instant)
    disabled_reason: str = Field(
        default="", sa_type=sa.String(255), sa_column_kwargs={"server_default": sa.text("''")}
    )


class DeliveryRow(Row, table=True):
    """News on its way. Without `due_at` it has ended; one that is held is due when its lease
    ends."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        partial_index(
            "ix_webhook_deliveries_due_at",
            "webhook_id",
            "due_at",
            "id",
            where="due_at IS NOT NULL",
        ),
        partial_index(
            "ix_webhook_deliveries_outstanding",
            "webhook_id",
            "created_at",
            where="due_at IS NOT NULL",
        ),
        sa.Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        sa.Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    id: UUID = Field(primary_key=True)
    webhook_id: UUID = Field(foreign_key="webhooks.id", ondelete="CASCADE")
    kind: str = Field(sa_type=sa.String(32))
    body: str = Field(sa_type=JSON_TEXT)
    created_at: datetime = Field(sa_type=Instant)
    state: str = Field(sa_type=sa.String(16))
    attempts: int = 0
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    fence: int = Field(default=0, sa_type=sa.BigInteger)
    status: int = 0
    error: str = Field(default="", sa_type=sa.String(128))
    settled_at: datetime | None = Field(default=None, sa_type=Instant)
