"""Let templates word campaigns, with variables for everybody and for single users."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column(
        "campaigns",
        sa.Column("template", sa.String(length=128), server_default=sa.text("''"), nullable=False),
    )
    op.add_column(
        "campaigns",
        sa.Column("variables", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.create_table(
        "campaign_variables",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("variables", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name="fk_campaign_variables_campaign_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "user_id", name="pk_campaign_variables"),
    )
    op.create_index("ix_campaign_variables_user_id", "campaign_variables", ["user_id"])


def downgrade() -> None:
    op.drop_table("campaign_variables")
    op.drop_column("campaigns", "variables")
    op.drop_column("campaigns", "template")
