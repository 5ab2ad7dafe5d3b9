"""Tell plans that somebody waits for from those that were marked with very many others."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    op.add_column(
        "plan_dirty", sa.Column("bulk", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index("ix_plan_dirty_bulk", "plan_dirty", ["bulk", "id"])


def downgrade() -> None:
    op.drop_index("ix_plan_dirty_bulk", "plan_dirty")
    op.drop_column("plan_dirty", "bulk")
