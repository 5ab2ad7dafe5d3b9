"""Reminders' tables. Only firings that wait are in `firings`: going off deletes the row."""

from datetime import date, datetime, time
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import BIG_ID, JSON_TEXT, Instant, Row
from kernel.adapters.tables import VACUUMED_OFTEN, partial_index

USER = sa.String(128)
ZONE = sa.String(64)


class EventRow(Row, table=True):
    """An event; its plan reaches `planned_until`. Each change in it raises its `revision`."""

    __tablename__ = "events"
    __table_args__ = (
        partial_index("ix_events_planned_until", "planned_until", where="cancelled_at IS NULL"),
    )

    id: UUID = Field(primary_key=True)
    title: str = Field(sa_type=sa.Text)
    zone: str = Field(sa_type=ZONE)
    day: date | None = None
    at: time | None = None
    created_by: str | None = Field(default=None, sa_type=USER)
    created_at: datetime = Field(sa_type=Instant)
    planned_from: datetime = Field(sa_type=Instant)
    planned_until: datetime = Field(sa_type=Instant)
    sched_version: int
    cancelled_at: datetime | None = Field(default=None, sa_type=Instant)
    anchors: str = Field(sa_type=JSON_TEXT, sa_column_kwargs={"server_default": "[]"})
    moved: str | None = Field(default=None, sa_type=JSON_TEXT)
    usual: bool = Field(sa_column_kwargs={"server_default": sa.false()})
    deadlines: str = Field(sa_type=JSON_TEXT, sa_column_kwargs={"server_default": "[]"})
    revision: int = Field(
        default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": "0"}
    )
    changed_at: datetime | None = Field(default=None, sa_type=Instant)


class EventMemberRow(Row, table=True):
    """A user in an event."""

    __tablename__ = "event_members"
    __table_args__ = (sa.Index("ix_event_members_user_id", "user_id", "event_id"),)

    event_id: UUID = Field(primary_key=True, foreign_key="events.id", ondelete="CASCADE")
    user_id: str = Field(primary_key=True, sa_type=USER)
    role: str = Field(sa_type=sa.String(16))
    joined_at: datetime = Field(sa_type=Instant)
    part: str = Field(sa_type=sa.String(32), sa_column_kwargs={"server_default": "main"})
    call_at: time | None = None


class PersonRow(Row, table=True):
    """How a user wants to be reminded."""

    __tablename__ = "reminders_people"

    user_id: str = Field(primary_key=True, sa_type=USER)
    zone: str = Field(sa_type=ZONE)
    locale: str = Field(sa_type=sa.String(35))
    muted: bool = False
    quiet_start: time | None = None
    quiet_end: time | None = None
    fasting: str = Field(sa_type=sa.String(8), sa_column_kwargs={"server_default": "auto"})
    hijri: bool = Field(sa_column_kwargs={"server_default": sa.false()})
    follow_device: bool = Field(sa_column_kwargs={"server_default": sa.true()})
    device_zone: str | None = Field(default=None, sa_type=ZONE)
    device_zone_at: datetime | None = Field(default=None, sa_type=Instant)
    candidate_zone: str | None = Field(default=None, sa_type=ZONE)
    candidate_since: datetime | None = Field(default=None, sa_type=Instant)
    clock: time | None = None
    usual: str = Field(sa_type=JSON_TEXT, sa_column_kwargs={"server_default": "{}"})
    digest: str = Field(sa_type=sa.String(8), sa_column_kwargs={"server_default": "daily"})
    digest_at: time | None = None
    plans_changed_at: datetime | None = Field(default=None, sa_type=Instant)
    """When what their plans are made of was last changed."""


class ZoneStateRow(Row, table=True):
    """What the rules of a zone in use were when plans were last made from them."""

    __tablename__ = "zone_states"

    zone: str = Field(primary_key=True, sa_type=ZONE)
    since: date
    fingerprint: bytes = Field(sa_type=sa.LargeBinary(16))
    version: str = Field(sa_type=sa.String(16))
    checked_at: datetime = Field(sa_type=Instant)


class TaskRow(Row, table=True):
    """A task. `due_kind` is none, day, wall or event; it says which of the rest are set."""

    __tablename__ = "tasks"
    __table_args__ = (sa.Index("ix_tasks_event_id", "event_id", "id"),)

    id: UUID = Field(primary_key=True)
    event_id: UUID = Field(foreign_key="events.id", ondelete="CASCADE")
    title: str = Field(sa_type=sa.Text)
    due_kind: str = Field(sa_type=sa.String(8))
    due_day: date | None = None
    due_time: time | None = None
    due_zone: str | None = Field(default=None, sa_type=ZONE)
    off_months: int = 0
    off_weeks: int = 0
    off_days: int = 0
    due_anchor: str = Field(sa_type=sa.String(32), sa_column_kwargs={"server_default": "main"})
    due_span: int = Field(sa_column_kwargs={"server_default": "0"})
    due_start: date | None = None
    assignee_id: str | None = Field(default=None, sa_type=USER)
    created_by: str | None = Field(default=None, sa_type=USER)
    created_at: datetime = Field(sa_type=Instant)
    planned_from: datetime = Field(sa_type=Instant)
    sched_version: int
    done_at: datetime | None = Field(default=None, sa_type=Instant)
    deleted_at: datetime | None = Field(default=None, sa_type=Instant)
    details: str = Field(sa_type=JSON_TEXT, sa_column_kwargs={"server_default": "{}"})
    changed_at: datetime | None = Field(default=None, sa_type=Instant)


class RuleRow(Row, table=True):
    """A rule. With `elapsed_seconds` its lead is elapsed time, otherwise calendar days."""

    __tablename__ = "rules"
    __table_args__ = (sa.Index("ix_rules_event_id", "event_id", "task_id"),)

    id: UUID = Field(primary_key=True)
    event_id: UUID = Field(foreign_key="events.id", ondelete="CASCADE")
    task_id: UUID | None = Field(default=None, foreign_key="tasks.id", ondelete="CASCADE")
    user_id: str | None = Field(default=None, sa_type=USER)
    lead_months: int = 0
    lead_weeks: int = 0
    lead_days: int = 0
    lead_time: time | None = None
    elapsed_seconds: int | None = None
    exact: bool
    zone_policy: str = Field(sa_type=sa.String(16))
    zone: str | None = Field(default=None, sa_type=ZONE)
    created_at: datetime = Field(sa_type=Instant)
    planned_from: datetime = Field(sa_type=Instant)


class FiringRow(Row, table=True):
    """A firing that waits for its time."""

    __tablename__ = "firings"
    __table_args__ = (
        sa.Index("ix_firings_due", "shard", "due_at", "id"),
        sa.Index("ix_firings_event_id", "event_id"),
        sa.Index("ix_firings_user_id", "user_id", "due_at", "id"),
        {"postgresql_with": VACUUMED_OFTEN},
    )

    id: UUID = Field(primary_key=True)
    shard: int = Field(sa_type=sa.SmallInteger)
    due_at: datetime = Field(sa_type=Instant)
    nominal_day: date
    dedupe_key: bytes = Field(unique=True, sa_type=sa.LargeBinary(16))
    event_id: UUID = Field(foreign_key="events.id", ondelete="CASCADE")
    task_id: UUID
    rule_id: UUID
    user_id: str = Field(sa_type=USER)
    firing_class: str = Field(sa_type=sa.String(16))
    grace_seconds: int
    useful_until: datetime = Field(sa_type=Instant)
    zone: str = Field(sa_type=ZONE)
    event_version: int
    task_version: int


class FiringLogRow(Row, table=True):
    """What became of a firing. Its key holds the nominal day, which never moves, so that
    the table can be partitioned by it."""

    __tablename__ = "firing_log"
    __table_args__ = (sa.Index("ix_firing_log_event_id", "event_id", "task_id"),)

    nominal_day: date = Field(primary_key=True)
    dedupe_key: bytes = Field(primary_key=True, sa_type=sa.LargeBinary(16))
    event_id: UUID
    task_id: UUID
    rule_id: UUID
    user_id: str = Field(sa_type=USER)
    firing_class: str = Field(sa_type=sa.String(16))
    due_at: datetime = Field(sa_type=Instant)
    decided_at: datetime = Field(sa_type=Instant)
    outcome: str = Field(sa_type=sa.String(16))
    reason: str = Field(sa_type=sa.Text)


class PauseRow(Row, table=True):
    """A class of which nothing goes off until an operator says so."""

    __tablename__ = "reminder_pauses"

    firing_class: str = Field(primary_key=True, sa_type=sa.String(16))
    paused_at: datetime = Field(sa_type=Instant)


class SpreadRow(Row, table=True):
    """Over how long policy spreads, where operators want more than is usual: one row."""

    __tablename__ = "reminder_spread"

    id: int = Field(primary_key=True)
    seconds: int
    set_at: datetime = Field(sa_type=Instant)


class PlanMarkRow(Row, table=True):
    """An event's plan may no longer be right. Marks are only ever added, so that whoever
    makes one never waits for the planner. `bulk` are those of very many events at once."""

    __tablename__ = "plan_dirty"
    __table_args__ = (
        sa.Index("ix_plan_dirty_event_id", "event_id"),
        sa.Index("ix_plan_dirty_bulk", "bulk", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_ID)
    event_id: UUID
    marked_at: datetime = Field(sa_type=Instant)
    bulk: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
