"""Find dead pushes without reading the others."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

DEAD = sa.text("state = 'dead'")


def upgrade() -> None:
    op.create_index(
        "ix_pushes_dead",
        "pushes",
        ["settled_at", "id"],
        postgresql_where=DEAD,
        sqlite_where=DEAD,
    )


def downgrade() -> None:
    op.drop_index("ix_pushes_dead", "pushes")
