"""Find the first and the last delivery that a webhook still waits for."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

OUTSTANDING = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_webhook_deliveries_outstanding",
        "webhook_deliveries",
        ["webhook_id", "created_at"],
        postgresql_where=OUTSTANDING,
        sqlite_where=OUTSTANDING,
    )


def downgrade() -> None:
    op.drop_index("ix_webhook_deliveries_outstanding", "webhook_deliveries")
