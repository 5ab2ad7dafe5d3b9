"""Keep what devices were last told of a thread, and by which push before that."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    empty = sa.text("''")
    op.add_column(
        "told_threads", sa.Column("words", sa.Text(), nullable=False, server_default=empty)
    )
    op.add_column("told_threads", sa.Column("before_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("told_threads", "before_id")
    op.drop_column("told_threads", "words")
