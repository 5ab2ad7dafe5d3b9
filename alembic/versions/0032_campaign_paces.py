"""Give campaigns a pace of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "campaigns",
        sa.Column("per_second", sa.Float(), server_default=sa.text("0"), nullable=False),
    )
    op.create_table(
        "campaign_paces",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("taken_until", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name="fk_campaign_paces_campaign_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_campaign_paces"),
    )


def downgrade() -> None:
    op.drop_table("campaign_paces")
    op.drop_column("campaigns", "per_second")
