"""Know when what a user's plans are made of was changed, and so what was handed over before."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.add_column("reminders_people", sa.Column("plans_changed_at", INSTANT, nullable=True))


def downgrade() -> None:
    op.drop_column("reminders_people", "plans_changed_at")
