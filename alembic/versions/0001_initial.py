"""Create the first tables: kernel, messaging, notifications, reminders."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=192), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("texts", sa.Text(), nullable=False),
        sa.Column("locales", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("following", sa.Boolean(), nullable=False),
        sa.Column("expires_after", sa.Float(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("planned_at", INSTANT, nullable=True),
        sa.Column("cursor", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        sa.UniqueConstraint("idempotency_key", name="uq_campaigns_idempotency_key"),
    )
    op.create_index(
        "ix_campaigns_expanding",
        "campaigns",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'running' AND planned_at IS NULL"),
        sqlite_where=sa.text("state = 'running' AND planned_at IS NULL"),
    )
    op.create_index(
        "ix_campaigns_following",
        "campaigns",
        ["id"],
        unique=False,
        postgresql_where=sa.text("following"),
        sqlite_where=sa.text("following"),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("direct_key", sa.String(length=257), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("top", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.UniqueConstraint("direct_key", name="uq_conversations_direct_key"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("installation_id", sa.String(length=128), nullable=False),
        sa.Column("address_kind", sa.String(length=16), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("platform", sa.String(length=16), nullable=False),
        sa.Column("locale", sa.String(length=64), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("app_version", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.Column("confirmed_at", INSTANT, nullable=False),
        sa.Column("accepted_at", INSTANT, nullable=True),
        sa.Column("disabled_at", INSTANT, nullable=True),
        sa.Column("disabled_reason", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint(
            "address_kind", "address_hash", name="uq_devices_address_kind_address_hash"
        ),
        sa.UniqueConstraint("installation_id", name="uq_devices_installation_id"),
    )
    op.create_index("ix_devices_confirmed_at", "devices", ["confirmed_at"], unique=False)
    op.create_index(
        "ix_devices_disabled_at",
        "devices",
        ["disabled_at"],
        unique=False,
        postgresql_where=sa.text("disabled_at IS NOT NULL"),
        sqlite_where=sa.text("disabled_at IS NOT NULL"),
    )
    op.create_index("ix_devices_user_id", "devices", ["user_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("at", sa.Time(), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("planned_from", INSTANT, nullable=False),
        sa.Column("planned_until", INSTANT, nullable=False),
        sa.Column("sched_version", sa.Integer(), nullable=False),
        sa.Column("cancelled_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index(
        "ix_events_planned_until",
        "events",
        ["planned_until"],
        unique=False,
        postgresql_where=sa.text("cancelled_at IS NULL"),
        sqlite_where=sa.text("cancelled_at IS NULL"),
    )
    op.create_table(
        "firing_log",
        sa.Column("nominal_day", sa.Date(), nullable=False),
        sa.Column("dedupe_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("firing_class", sa.String(length=16), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("nominal_day", "dedupe_key", name="pk_firing_log"),
    )
    op.create_index("ix_firing_log_event_id", "firing_log", ["event_id", "task_id"], unique=False)
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("holder", sa.String(length=128), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "messages",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.String(length=128), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=64), nullable=False),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "offset", name="pk_messages"),
        sa.UniqueConstraint(
            "conversation_id",
            "sender_id",
            "idempotency_key",
            name="uq_messages_conversation_id_sender_id_idempotency_key",
        ),
        sa.UniqueConstraint("id", name="uq_messages_id"),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("template", sa.String(length=128), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("urgency", sa.String(length=16), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
    )
    op.create_index("ix_notifications_created_at", "notifications", ["created_at"], unique=False)
    op.create_index(
        "ix_notifications_user_id_created_at",
        "notifications",
        ["user_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=255), nullable=True),
        sa.Column("channel", sa.String(length=255), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.Column("buried_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("dedupe_key", name="uq_outbox_dedupe_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_settled_at", "outbox", ["settled_at"], unique=False)
    op.create_index(
        "ix_outbox_transaction_id",
        "outbox",
        ["transaction_id"],
        unique=False,
        postgresql_where=sa.text("channel <> ''"),
        sqlite_where=sa.text("channel <> ''"),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["due_at", "id"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NULL AND buried_at IS NULL"),
        sqlite_where=sa.text("settled_at IS NULL AND buried_at IS NULL"),
    )
    op.create_table(
        "plan_dirty",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("marked_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plan_dirty"),
    )
    op.create_index("ix_plan_dirty_event_id", "plan_dirty", ["event_id"], unique=False)
    op.create_table(
        "push_requests",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_push_requests"),
    )
    op.create_index("ix_push_requests_created_at", "push_requests", ["created_at"], unique=False)
    op.create_table(
        "reminders_people",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=False),
        sa.Column("muted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_reminders_people"),
    )
    op.create_table(
        "event_members",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("joined_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_event_members_event_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", "user_id", name="pk_event_members"),
    )
    op.create_index(
        "ix_event_members_user_id", "event_members", ["user_id", "event_id"], unique=False
    )
    op.create_table(
        "firings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("nominal_day", sa.Date(), nullable=False),
        sa.Column("dedupe_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("firing_class", sa.String(length=16), nullable=False),
        sa.Column("grace_seconds", sa.Integer(), nullable=False),
        sa.Column("useful_until", INSTANT, nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("event_version", sa.Integer(), nullable=False),
        sa.Column("task_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_firings_event_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_firings"),
        sa.UniqueConstraint("dedupe_key", name="uq_firings_dedupe_key"),
    )
    op.create_index("ix_firings_due", "firings", ["shard", "due_at", "id"], unique=False)
    op.create_index("ix_firings_event_id", "firings", ["event_id"], unique=False)
    op.create_index("ix_firings_user_id", "firings", ["user_id", "due_at", "id"], unique=False)
    op.create_table(
        "members",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("joined_at", INSTANT, nullable=False),
        sa.Column("muted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_members_conversation_id"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name="pk_members"),
    )
    op.create_index(
        "ix_members_user_id_conversation_id",
        "members",
        ["user_id", "conversation_id"],
        unique=False,
    )
    op.create_table(
        "pushes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        sa.Column("route", sa.String(length=16), nullable=False),
        sa.Column("urgency", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("collapse_key", sa.String(length=64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unsent", sa.Integer(), nullable=False),
        sa.Column("ambiguous", sa.Integer(), nullable=False),
        sa.Column("first_tried_at", INSTANT, nullable=True),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=128), nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name="fk_pushes_notification_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pushes"),
    )
    op.create_index(
        "ix_pushes_campaign_id_state",
        "pushes",
        ["campaign_id", "state"],
        unique=False,
        postgresql_where=sa.text("campaign_id IS NOT NULL"),
        sqlite_where=sa.text("campaign_id IS NOT NULL"),
    )
    op.create_index(
        "ix_pushes_expires_at",
        "pushes",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NULL"),
        sqlite_where=sa.text("settled_at IS NULL"),
    )
    op.create_index(
        "ix_pushes_leased_until",
        "pushes",
        ["leased_until"],
        unique=False,
        postgresql_where=sa.text("state = 'sending'"),
        sqlite_where=sa.text("state = 'sending'"),
    )
    op.create_index("ix_pushes_notification_id", "pushes", ["notification_id"], unique=False)
    op.create_index(
        "ix_pushes_waiting",
        "pushes",
        ["route", "urgency", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'retry')"),
        sqlite_where=sa.text("state IN ('queued', 'retry')"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("due_kind", sa.String(length=8), nullable=False),
        sa.Column("due_day", sa.Date(), nullable=True),
        sa.Column("due_time", sa.Time(), nullable=True),
        sa.Column("due_zone", sa.String(length=64), nullable=True),
        sa.Column("off_months", sa.Integer(), nullable=False),
        sa.Column("off_weeks", sa.Integer(), nullable=False),
        sa.Column("off_days", sa.Integer(), nullable=False),
        sa.Column("assignee_id", sa.String(length=128), nullable=True),
        sa.Column("created_by", sa.String(length=128), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("planned_from", INSTANT, nullable=False),
        sa.Column("sched_version", sa.Integer(), nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_tasks_event_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
    )
    op.create_index("ix_tasks_event_id", "tasks", ["event_id", "id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("push_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=128), nullable=False),
        sa.Column("provider_id", sa.String(length=255), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["push_id"], ["pushes.id"], name="fk_attempts_push_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("push_id", "number", name="pk_attempts"),
    )
    op.create_table(
        "rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.String(length=128), nullable=True),
        sa.Column("lead_months", sa.Integer(), nullable=False),
        sa.Column("lead_weeks", sa.Integer(), nullable=False),
        sa.Column("lead_days", sa.Integer(), nullable=False),
        sa.Column("lead_time", sa.Time(), nullable=True),
        sa.Column("elapsed_seconds", sa.Integer(), nullable=True),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("zone_policy", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("planned_from", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_rules_event_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name="fk_rules_task_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
    )
    op.create_index("ix_rules_event_id", "rules", ["event_id", "task_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_rules_event_id", table_name="rules")
    op.drop_table("rules")
    op.drop_table("attempts")
    op.drop_index("ix_tasks_event_id", table_name="tasks")
    op.drop_table("tasks")
    op.drop_index(
        "ix_pushes_waiting",
        table_name="pushes",
        postgresql_where=sa.text("state IN ('queued', 'retry')"),
        sqlite_where=sa.text("state IN ('queued', 'retry')"),
    )
    op.drop_index("ix_pushes_notification_id", table_name="pushes")
    op.drop_index(
        "ix_pushes_leased_until",
        table_name="pushes",
        postgresql_where=sa.text("state = 'sending'"),
        sqlite_where=sa.text("state = 'sending'"),
    )
    op.drop_index(
        "ix_pushes_expires_at",
        table_name="pushes",
        postgresql_where=sa.text("settled_at IS NULL"),
        sqlite_where=sa.text("settled_at IS NULL"),
    )
    op.drop_index(
        "ix_pushes_campaign_id_state",
        table_name="pushes",
        postgresql_where=sa.text("campaign_id IS NOT NULL"),
        sqlite_where=sa.text("campaign_id IS NOT NULL"),
    )
    op.drop_table("pushes")
    op.drop_index("ix_members_user_id_conversation_id", table_name="members")
    op.drop_table("members")
    op.drop_index("ix_firings_user_id", table_name="firings")
    op.drop_index("ix_firings_event_id", table_name="firings")
    op.drop_index("ix_firings_due", table_name="firings")
    op.drop_table("firings")
    op.drop_index("ix_event_members_user_id", table_name="event_members")
    op.drop_table("event_members")
    op.drop_table("reminders_people")
    op.drop_index("ix_push_requests_created_at", table_name="push_requests")
    op.drop_table("push_requests")
    op.drop_index("ix_plan_dirty_event_id", table_name="plan_dirty")
    op.drop_table("plan_dirty")
    op.drop_index(
        "ix_outbox_waiting",
        table_name="outbox",
        postgresql_where=sa.text("settled_at IS NULL AND buried_at IS NULL"),
        sqlite_where=sa.text("settled_at IS NULL AND buried_at IS NULL"),
    )
    op.drop_index(
        "ix_outbox_transaction_id",
        table_name="outbox",
        postgresql_where=sa.text("channel <> ''"),
        sqlite_where=sa.text("channel <> ''"),
    )
    op.drop_index("ix_outbox_settled_at", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("ix_notifications_user_id_created_at", table_name="notifications")
    op.drop_index("ix_notifications_created_at", table_name="notifications")
    op.drop_table("notifications")
    op.drop_table("messages")
    op.drop_table("leases")
    op.drop_table("installation")
    op.drop_index("ix_firing_log_event_id", table_name="firing_log")
    op.drop_table("firing_log")
    op.drop_index(
        "ix_events_planned_until",
        table_name="events",
        postgresql_where=sa.text("cancelled_at IS NULL"),
        sqlite_where=sa.text("cancelled_at IS NULL"),
    )
    op.drop_table("events")
    op.drop_index("ix_devices_user_id", table_name="devices")
    op.drop_index(
        "ix_devices_disabled_at",
        table_name="devices",
        postgresql_where=sa.text("disabled_at IS NOT NULL"),
        sqlite_where=sa.text("disabled_at IS NOT NULL"),
    )
    op.drop_index("ix_devices_confirmed_at", table_name="devices")
    op.drop_table("devices")
    op.drop_table("conversations")
    op.drop_index(
        "ix_campaigns_following",
        table_name="campaigns",
        postgresql_where=sa.text("following"),
        sqlite_where=sa.text("following"),
    )
    op.drop_index(
        "ix_campaigns_expanding",
        table_name="campaigns",
        postgresql_where=sa.text("state = 'running' AND planned_at IS NULL"),
        sqlite_where=sa.text("state = 'running' AND planned_at IS NULL"),
    )
    op.drop_table("campaigns")
    op.drop_table("api_keys")
