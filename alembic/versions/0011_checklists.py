"""Give events anchors and a way back from a move, and tasks details and windows."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # With a constant default neither database rewrites the tables.
    for table, column in (
        ("events", sa.Column("anchors", sa.Text(), nullable=False, server_default="[]")),
        ("events", sa.Column("moved", sa.Text())),
        ("tasks", sa.Column("due_anchor", sa.String(32), nullable=False, server_default="main")),
        ("tasks", sa.Column("due_span", sa.Integer(), nullable=False, server_default="0")),
        ("tasks", sa.Column("due_start", sa.Date())),
        ("tasks", sa.Column("details", sa.Text(), nullable=False, server_default="{}")),
    ):
        op.add_column(table, column)


def downgrade() -> None:
    for table, column in (
        ("tasks", "details"),
        ("tasks", "due_start"),
        ("tasks", "due_span"),
        ("tasks", "due_anchor"),
        ("events", "moved"),
        ("events", "anchors"),
    ):
        op.drop_column(table, column)
