"""Keep what stands against users and their tokens, and when users were last there."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "restrictions",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("channel", sa.String(length=255), nullable=False),
        sa.Column("issued_before", INSTANT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("imposed_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", "channel", name="pk_restrictions"),
    )
    op.create_index("ix_restrictions_revision", "restrictions", ["revision"])
    op.create_index("ix_restrictions_ends_at", "restrictions", ["ends_at"])
    revisions = op.create_table(
        "restriction_revisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_restriction_revisions"),
    )
    op.bulk_insert(revisions, [{"id": 1, "newest": 0}])
    op.create_table(
        "user_statuses",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=True),
        sa.Column("active_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("user_id", name="pk_user_statuses"),
    )
    op.create_table(
        "sightings",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "node", name="pk_sightings"),
    )
    op.create_index("ix_sightings_node", "sightings", ["node"])
    op.create_table(
        "signs_of_life",
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_signs_of_life"),
    )


def downgrade() -> None:
    op.drop_table("signs_of_life")
    op.drop_table("sightings")
    op.drop_table("user_statuses")
    op.drop_table("restriction_revisions")
    op.drop_table("restrictions")
