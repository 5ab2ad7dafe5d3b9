"""Keep templates: every version of their words, and which of them is in use."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "templates",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("newest", sa.Integer(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_templates"),
    )
    op.create_index("ix_templates_revision", "templates", ["revision"])
    op.create_table(
        "template_versions",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["name"],
            ["templates.name"],
            name="fk_template_versions_name",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("name", "number", name="pk_template_versions"),
    )
    op.create_table(
        "template_publications",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.Column("published_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["name"],
            ["templates.name"],
            name="fk_template_publications_name",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("name", "revision", name="pk_template_publications"),
    )
    revisions = op.create_table(
        "template_revisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_template_revisions"),
    )
    op.bulk_insert(revisions, [{"id": 1, "newest": 0}])


def downgrade() -> None:
    op.drop_table("template_revisions")
    op.drop_table("template_publications")
    op.drop_table("template_versions")
    op.drop_table("templates")
