"""Keep what waits in the outbox out of the indexes of what does not, and index what is buried.

SQLite took the index of settled entries for the way to those that wait, and read all of them for
each claim.
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"

SETTLED, BURIED = sa.text("settled_at IS NOT NULL"), sa.text("buried_at IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_outbox_settled_at", "outbox")
    index("settled_at", SETTLED)
    index("buried_at", BURIED)


def downgrade() -> None:
    op.drop_index("ix_outbox_buried_at", "outbox")
    op.drop_index("ix_outbox_settled_at", "outbox")
    op.create_index("ix_outbox_settled_at", "outbox", ["settled_at"])


def index(column: str, where: sa.TextClause) -> None:
    name = f"ix_outbox_{column}"
    op.create_index(name, "outbox", [column], postgresql_where=where, sqlite_where=where)
