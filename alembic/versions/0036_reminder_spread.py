"""Remember over how long policy reminders spread, where operators want more than is usual."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reminder_spread",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("set_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reminder_spread"),
    )


def downgrade() -> None:
    op.drop_table("reminder_spread")
