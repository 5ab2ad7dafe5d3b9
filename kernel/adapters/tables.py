"""The kernel's tables."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import BIG_ID, JSON_TEXT, Instant, Row

VACUUMED_OFTEN = {
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_cost_limit": "2000",
}
"""How PostgreSQL keeps a table that is filled and emptied all the time: looked after once a
hundredth of it has died, and ten times as fast as others."""


def partial_index(name: str, *columns: str, where: str) -> sa.Index:
    """An index over the rows that matter, so that the others cost it nothing."""
    return sa.Index(name, *columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


class InstallationRow(Row, table=True):
    """The one row that names this life of the database: its streams' epoch."""

    __tablename__ = "installation"

    id: int = Field(primary_key=True)
    epoch: str = Field(sa_type=sa.String(16))
    created_at: datetime = Field(sa_type=Instant)


class OutboxRow(Row, table=True):
    """An entry of the outbox. Waiting while `settled_at` and `buried_at` are null."""

    __tablename__ = "outbox"
    __table_args__ = (
        partial_index(
            "ix_outbox_waiting", "due_at", "id", where="settled_at IS NULL AND buried_at IS NULL"
        ),
        partial_index("ix_outbox_transaction_id", "transaction_id", where="channel <> ''"),
        # Without what waits: SQLite would look for that here, and read all of it for each claim.
        partial_index("ix_outbox_settled_at", "settled_at", where="settled_at IS NOT NULL"),
        partial_index("ix_outbox_buried_at", "buried_at", where="buried_at IS NOT NULL"),
        # Row ids are a cursor there, so the id of a pruned entry must not come again. Each entry is
        # rewritten when a relay takes it; free space in the page keeps the indexes out of that.
        {"sqlite_autoincrement": True, "postgresql_with": {"fillfactor": 50, **VACUUMED_OFTEN}},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    kind: str = Field(sa_type=sa.String(64))
    payload: str = Field(sa_type=JSON_TEXT)
    dedupe_key: str | None = Field(default=None, unique=True, sa_type=sa.String(255))
    channel: str = Field(default="", sa_type=sa.String(255))
    offset: int = Field(default=0, sa_type=sa.BigInteger)
    transaction_id: int = Field(default=0, sa_type=sa.BigInteger)
    created_at: datetime = Field(sa_type=Instant)
    due_at: datetime = Field(sa_type=Instant)
    leased_until: datetime | None = Field(default=None, sa_type=Instant)
    fence: int = Field(default=0, sa_type=sa.BigInteger)
    attempts: int = 0
    error: str | None = None
    settled_at: datetime | None = Field(default=None, sa_type=Instant)
    buried_at: datetime | None = Field(default=None, sa_type=Instant)


class LeaseRow(Row, table=True):
    """A lease; a free one has no holder."""

    __tablename__ = "leases"

    name: str = Field(primary_key=True, sa_type=sa.String(128))
    holder: str | None = Field(default=None, sa_type=sa.String(128))
    fence: int = Field(sa_type=sa.BigInteger)
    expires_at: datetime = Field(sa_type=Instant)


class ApiKeyRow(Row, table=True):
    """An API key: the hash of its secret, never the secret."""

    __tablename__ = "api_keys"

    id: UUID = Field(primary_key=True)
    name: str = Field(sa_type=sa.String(128))
    hash: str = Field(unique=True, sa_type=sa.String(64))
    scopes: str = Field(sa_type=sa.Text)
    created_at: datetime = Field(sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)
