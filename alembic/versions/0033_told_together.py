"""Remember which firings were told together, so that all of them can be acted on."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reminders_told_together",
        sa.Column("first_key", sa.LargeBinary(16), nullable=False),
        sa.Column("dedupe_key", sa.LargeBinary(16), nullable=False),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("nominal_day", sa.Date(), nullable=False),
        sa.Column("told_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("first_key", "dedupe_key", name="pk_reminders_told_together"),
    )
    op.create_index(
        "ix_reminders_told_together_event_id", "reminders_told_together", ["event_id", "task_id"]
    )
    op.create_index("ix_reminders_told_together_told_at", "reminders_told_together", ["told_at"])


def downgrade() -> None:
    op.drop_index("ix_reminders_told_together_told_at", "reminders_told_together")
    op.drop_index("ix_reminders_told_together_event_id", "reminders_told_together")
    op.drop_table("reminders_told_together")
