"""Remember actions that were taken on reminders."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reminder_actions",
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("action_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("firing", sa.LargeBinary(16), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("acted_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("user_id", "action_id", name="pk_reminder_actions"),
    )
    op.create_index("ix_reminder_actions_acted_at", "reminder_actions", ["acted_at"])


def downgrade() -> None:
    op.drop_index("ix_reminder_actions_acted_at", "reminder_actions")
    op.drop_table("reminder_actions")
