"""Keep what devices hold of their users' reminders."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alarm_syncs",
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("alarms", sa.Text(), nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("acknowledged_at", INSTANT, nullable=False),
        sa.Column("stale_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("device_id", name="pk_alarm_syncs"),
    )
    op.create_index("ix_alarm_syncs_user_id", "alarm_syncs", ["user_id"])
    op.create_index("ix_alarm_syncs_acknowledged_at", "alarm_syncs", ["acknowledged_at"])


def downgrade() -> None:
    op.drop_index("ix_alarm_syncs_acknowledged_at", "alarm_syncs")
    op.drop_index("ix_alarm_syncs_user_id", "alarm_syncs")
    op.drop_table("alarm_syncs")
