"""Keep what servers ask to be sent, and the lists they send to."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
OF_SEND = sa.text("send_id IS NOT NULL")
UNTOLD = sa.text("untold AND settled_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "sends",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("urgency", sa.String(length=16), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("planned_at", INSTANT, nullable=True),
        sa.Column("cancelled_at", INSTANT, nullable=True),
        sa.Column("targeted", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.String(length=128), nullable=False),
        sa.Column("following", sa.Boolean(), nullable=False),
        sa.Column("watched", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sends"),
    )
    op.create_index("ix_sends_created_at", "sends", ["created_at", "id"])
    for name, where in (("expanding", "planned_at IS NULL"), ("following", "following")):
        op.create_index(
            f"ix_sends_{name}",
            "sends",
            ["id"],
            postgresql_where=sa.text(where),
            sqlite_where=sa.text(where),
        )
    op.create_table(
        "user_lists",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_lists"),
    )
    op.create_table(
        "listed_users",
        sa.Column("list_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"], ["user_lists.id"], name="fk_listed_users_list_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("list_id", "user_id", name="pk_listed_users"),
    )
    op.add_column("notifications", sa.Column("send_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_notifications_send_id",
        "notifications",
        ["send_id"],
        postgresql_where=OF_SEND,
        sqlite_where=OF_SEND,
    )
    op.add_column("pushes", sa.Column("send_id", sa.Uuid(), nullable=True))
    op.add_column("pushes", sa.Column("topic_kind", sa.String(length=16), nullable=True))
    op.add_column("pushes", sa.Column("topic", sa.Text(), nullable=True))
    op.add_column(
        "pushes", sa.Column("untold", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.create_index(
        "ix_pushes_send_id_state",
        "pushes",
        ["send_id", "state", "id"],
        postgresql_where=OF_SEND,
        sqlite_where=OF_SEND,
    )
    op.create_index(
        "ix_pushes_untold",
        "pushes",
        ["settled_at", "id"],
        postgresql_where=UNTOLD,
        sqlite_where=UNTOLD,
    )


def downgrade() -> None:
    op.drop_index("ix_pushes_untold", "pushes")
    op.drop_index("ix_pushes_send_id_state", "pushes")
    for column in ("untold", "topic", "topic_kind", "send_id"):
        op.drop_column("pushes", column)
    op.drop_index("ix_notifications_send_id", "notifications")
    op.drop_column("notifications", "send_id")
    op.drop_table("listed_users")
    op.drop_table("user_lists")
    op.drop_table("sends")
