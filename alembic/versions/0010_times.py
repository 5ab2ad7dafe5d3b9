"""Keep quiet hours, where people's devices are, and what zones' rules were."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    # With a constant default neither database rewrites the table.
    for column in (
        sa.Column("quiet_start", sa.Time()),
        sa.Column("quiet_end", sa.Time()),
        sa.Column("fasting", sa.String(8), nullable=False, server_default="auto"),
        sa.Column("hijri", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("follow_device", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("device_zone", sa.String(64)),
        sa.Column("device_zone_at", INSTANT),
        sa.Column("candidate_zone", sa.String(64)),
        sa.Column("candidate_since", INSTANT),
    ):
        op.add_column("reminders_people", column)
    op.create_table(
        "zone_states",
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(16), nullable=False),
        sa.Column("version", sa.String(16), nullable=False),
        sa.Column("checked_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("zone", name="pk_zone_states"),
    )


def downgrade() -> None:
    op.drop_table("zone_states")
    for name in (
        "candidate_since",
        "candidate_zone",
        "device_zone_at",
        "device_zone",
        "follow_device",
        "hijri",
        "fasting",
        "quiet_end",
        "quiet_start",
    ):
        op.drop_column("reminders_people", name)
