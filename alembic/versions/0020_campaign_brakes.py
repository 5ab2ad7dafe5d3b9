"""Remember why a campaign stopped by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column(
        "campaigns",
        sa.Column(
            "stopped_reason", sa.String(length=255), server_default=sa.text("''"), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("campaigns", "stopped_reason")
