"""Keep what devices say of pushes."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("push_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("send_id", sa.Uuid(), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("reported_at", INSTANT, nullable=False),
        sa.Column("untold", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["push_id"], ["pushes.id"], name="fk_reports_push_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("push_id", "event", name="pk_reports"),
    )
    of_send, untold = sa.text("send_id IS NOT NULL"), sa.text("untold")
    op.create_index(
        "ix_reports_send_id_event",
        "reports",
        ["send_id", "event"],
        postgresql_where=of_send,
        sqlite_where=of_send,
    )
    op.create_index(
        "ix_reports_untold",
        "reports",
        ["reported_at"],
        postgresql_where=untold,
        sqlite_where=untold,
    )


def downgrade() -> None:
    op.drop_table("reports")
