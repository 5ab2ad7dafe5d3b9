"""Keep the streams of channels that are no conversations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("channel", sa.String(length=255), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("top", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("version_epoch", sa.String(length=64), nullable=False),
        sa.Column("kept_until", INSTANT, nullable=True),
        sa.Column("known_until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_streams"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_streams_kept_until", "streams", ["kept_until"])
    op.create_index("ix_streams_known_until", "streams", ["known_until"])
    op.create_table(
        "publications",
        sa.Column("channel", sa.String(length=255), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "offset", name="pk_publications"),
    )
    op.create_table(
        "publication_keys",
        sa.Column("channel", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("channel", "key", name="pk_publication_keys"),
    )
    op.create_index("ix_publication_keys_expires_at", "publication_keys", ["expires_at"])


def downgrade() -> None:
    op.drop_table("publication_keys")
    op.drop_table("publications")
    op.drop_table("streams")
