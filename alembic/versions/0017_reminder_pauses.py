"""Let operators pause reminders of a class."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reminder_pauses",
        sa.Column("firing_class", sa.String(16), nullable=False),
        sa.Column("paused_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("firing_class", name="pk_reminder_pauses"),
    )


def downgrade() -> None:
    op.drop_table("reminder_pauses")
