"""Remember which pushes have a time that their user chose."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    for table in ("notifications", "pushes"):
        exact = sa.Column("exact", sa.Boolean(), server_default=sa.false(), nullable=False)
        op.add_column(table, exact)


def downgrade() -> None:
    for table in ("pushes", "notifications"):
        op.drop_column(table, "exact")
