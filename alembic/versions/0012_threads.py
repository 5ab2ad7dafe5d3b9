"""Keep how far members have read, and what devices were told of each thread."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.add_column("members", sa.Column("read_mark", sa.BigInteger(), nullable=True))
    op.create_table(
        "told_threads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("thread", sa.String(length=128), nullable=False),
        sa.Column("push_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("notices", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_told_threads"),
    )
    op.create_index("ix_told_threads_user_id", "told_threads", ["user_id"])
    op.create_index("ix_told_threads_due_at", "told_threads", ["due_at"])


def downgrade() -> None:
    op.drop_table("told_threads")
    op.drop_column("members", "read_mark")
