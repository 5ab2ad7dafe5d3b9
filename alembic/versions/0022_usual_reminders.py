"""Let users say what they are usually reminded of, and how early."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("reminders_people", sa.Column("clock", sa.Time(), nullable=True))
    op.add_column(
        "reminders_people", sa.Column("usual", sa.Text(), nullable=False, server_default="{}")
    )


def downgrade() -> None:
    op.drop_column("reminders_people", "usual")
    op.drop_column("reminders_people", "clock")
