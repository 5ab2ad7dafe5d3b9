"""Find what marketing a user was told lately, without reading anything else."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

TOLD = sa.text("state = 'accepted' AND urgency = 'marketing'")


def upgrade() -> None:
    op.create_index(
        "ix_pushes_told_marketing",
        "pushes",
        ["user_id", "settled_at"],
        postgresql_where=TOLD,
        sqlite_where=TOLD,
    )


def downgrade() -> None:
    op.drop_index("ix_pushes_told_marketing", "pushes")
