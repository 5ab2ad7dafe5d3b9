"""Keep calendar feeds, and when events and tasks were changed last."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "events", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("events", sa.Column("changed_at", INSTANT, nullable=True))
    op.add_column("tasks", sa.Column("changed_at", INSTANT, nullable=True))
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("shown", sa.String(8), nullable=False),
        sa.Column("whose", sa.String(8), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calendar_feeds"),
        sa.UniqueConstraint("secret_hash", name="uq_calendar_feeds_secret_hash"),
        sa.UniqueConstraint("user_id", "event_id", name="uq_calendar_feeds_user_id_event_id"),
    )


def downgrade() -> None:
    op.drop_table("calendar_feeds")
    op.drop_column("tasks", "changed_at")
    op.drop_column("events", "changed_at")
    op.drop_column("events", "revision")
