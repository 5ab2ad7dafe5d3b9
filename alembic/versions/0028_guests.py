"""Keep guests and their answers, by when these are due, and what events tell of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    # With a constant default neither database rewrites the table.
    op.add_column(
        "events", sa.Column("usual", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("events", sa.Column("deadlines", sa.Text(), nullable=False, server_default="[]"))
    op.add_column(
        "event_members",
        sa.Column("part", sa.String(32), nullable=False, server_default="main"),
    )
    op.add_column("event_members", sa.Column("call_at", sa.Time(), nullable=True))
    op.create_table(
        "event_guests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("part", sa.String(32), nullable=False),
        sa.Column("invited_at", INSTANT, nullable=False),
        sa.Column("answer", sa.String(8), nullable=False),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_event_guests_event_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_event_guests"),
    )
    op.create_index("ix_event_guests_event_id", "event_guests", ["event_id", "part", "id"])
    op.create_index("ix_event_guests_user_id", "event_guests", ["user_id"])
    op.create_table(
        "guest_opt_outs",
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "event_id", name="pk_guest_opt_outs"),
    )


def downgrade() -> None:
    op.drop_table("guest_opt_outs")
    op.drop_table("event_guests")
    op.drop_column("event_members", "call_at")
    op.drop_column("event_members", "part")
    op.drop_column("events", "deadlines")
    op.drop_column("events", "usual")
