"""Let webhooks choose which pushes they are told of, and remember how they fare."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")

# Those that are there were told of sends, and go on being told of nothing else.
ADDED = (
    ("origins", sa.Text(), "'[\"send\"]'"),
    ("urgencies", sa.Text(), "'[]'"),
    ("categories", sa.Text(), "'[]'"),
    ("failing_since", INSTANT, None),
    ("failures", sa.Integer(), "0"),
    ("resting_until", INSTANT, None),
    ("disabled_reason", sa.String(length=255), "''"),
)


def upgrade() -> None:
    for name, kind, default in ADDED:
        said = None if default is None else sa.text(default)
        column = sa.Column(name, kind, nullable=default is None, server_default=said)
        op.add_column("webhooks", column)


def downgrade() -> None:
    for name, _, _ in reversed(ADDED):
        op.drop_column("webhooks", name)
