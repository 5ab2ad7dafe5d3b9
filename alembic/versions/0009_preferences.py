"""Keep what users want to be told, what they agreed to, and when Ramadan is."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("choices", sa.Text(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_preferences"),
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("text_version", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("recorded_by", sa.String(length=255), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
    )
    op.create_index("ix_consents_user_id_id", "consents", ["user_id", "id"])
    op.create_table(
        "ramadans",
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("announced", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("year", name="pk_ramadans"),
    )
    op.add_column(
        "notifications",
        sa.Column("thread", sa.String(length=128), server_default=sa.text("''"), nullable=False),
    )
    op.add_column(
        "pushes",
        sa.Column("category", sa.String(length=64), server_default=sa.text("''"), nullable=False),
    )
    op.create_index(
        "ix_pushes_user_id",
        "pushes",
        ["user_id"],
        postgresql_where=sa.text("settled_at IS NULL"),
        sqlite_where=sa.text("settled_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_pushes_user_id", "pushes")
    op.drop_column("pushes", "category")
    op.drop_column("notifications", "thread")
    op.drop_table("ramadans")
    op.drop_table("consents")
    op.drop_table("preferences")
