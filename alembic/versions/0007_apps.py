"""Give devices and pushes an app, and apps their credentials."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
WAITING = sa.text("state IN ('queued', 'retry')")


def upgrade() -> None:
    op.create_table(
        "apps",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_apps"),
    )
    op.create_table(
        "credentials",
        sa.Column("app_id", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("app_id", "provider", name="pk_credentials"),
    )
    # With a constant default neither database rewrites the table.
    for table in ("devices", "pushes"):
        op.add_column(
            table,
            sa.Column("app_id", sa.String(length=64), nullable=False, server_default="default"),
        )
    op.add_column(
        "devices",
        sa.Column("permission", sa.String(length=16), nullable=False, server_default="unknown"),
    )
    op.create_index("ix_devices_app_id_id", "devices", ["app_id", "id"])
    # The index holds only what waits, so that making it anew takes a moment.
    op.drop_index("ix_pushes_waiting", "pushes")
    _index_waiting("app_id", "route", "urgency", "due_at", "id")


def downgrade() -> None:
    op.drop_index("ix_pushes_waiting", "pushes")
    _index_waiting("route", "urgency", "due_at", "id")
    op.drop_index("ix_devices_app_id_id", "devices")
    op.drop_column("devices", "permission")
    for table in ("devices", "pushes"):
        op.drop_column(table, "app_id")
    op.drop_table("credentials")
    op.drop_table("apps")


def _index_waiting(*columns: str) -> None:
    op.create_index(
        "ix_pushes_waiting",
        "pushes",
        [*columns],
        postgresql_where=WAITING,
        sqlite_where=WAITING,
    )
