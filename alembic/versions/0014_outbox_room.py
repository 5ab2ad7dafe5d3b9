"""Leave room in the outbox's pages, so that taking an entry leaves its indexes alone.

Pages that are written already keep their shape; they are gone with their entries within minutes.
"""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE outbox SET (fillfactor = 50)")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE outbox RESET (fillfactor)")
