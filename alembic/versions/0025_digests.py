"""Tell users once a day what was not told at its time, and count what was."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "reminders_people",
        sa.Column("digest", sa.String(8), nullable=False, server_default="daily"),
    )
    op.add_column("reminders_people", sa.Column("digest_at", sa.Time(), nullable=True))
    turns = op.create_table(
        "digest_turns",
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("planned_on", sa.Date(), nullable=True),
        sa.Column("told_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name="pk_digest_turns"),
    )
    # Whoever is in an event by now has a turn; a time long past has it found out.
    members = sa.table("event_members", sa.column("user_id"), sa.column("joined_at", INSTANT))
    op.get_bind().execute(
        turns.insert().from_select(
            ["user_id", "due_at"],
            sa.select(members.c.user_id, sa.func.min(members.c.joined_at)).group_by(
                members.c.user_id
            ),
        )
    )
    op.create_index("ix_digest_turns_due_at", "digest_turns", ["due_at"])
    op.create_table(
        "digest_items",
        sa.Column("dedupe_key", sa.LargeBinary(16), nullable=False),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("nominal_day", sa.Date(), nullable=False),
        sa.Column("folded_at", INSTANT, nullable=False),
        sa.Column("told_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("dedupe_key", name="pk_digest_items"),
    )
    op.create_index(
        "ix_digest_items_waiting",
        "digest_items",
        ["user_id"],
        postgresql_where=sa.text("told_at IS NULL"),
        sqlite_where=sa.text("told_at IS NULL"),
    )
    op.create_index("ix_digest_items_told_at", "digest_items", ["told_at"])
    op.create_table(
        "reminder_budgets",
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("spent", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "day", name="pk_reminder_budgets"),
    )
    op.create_index("ix_reminder_budgets_day", "reminder_budgets", ["day"])


def downgrade() -> None:
    op.drop_table("reminder_budgets")
    op.drop_table("digest_items")
    op.drop_table("digest_turns")
    op.drop_column("reminders_people", "digest_at")
    op.drop_column("reminders_people", "digest")
