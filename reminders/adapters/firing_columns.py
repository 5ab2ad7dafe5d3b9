"""Firings and what became of them: values to columns and back."""

from datetime import timedelta

from kernel.ids import UserId
from reminders.adapters.mapping import Columns, Selected
from reminders.firing import Firing, FiringClass, Outcome, Settled
from reminders.identity import shard_of
from reminders.placing import POLITE

MOVING = (
    "shard",
    "due_at",
    "useful_until",
    "grace_seconds",
    "zone",
    "firing_class",
    "event_version",
    "task_version",
)
"""The columns in which a planned firing can differ from the waiting one with its identity."""


def columns_of_firing(firing: Firing) -> Columns:
    """All but the id, which belongs to the row."""
    return {
        "shard": shard_of(firing.user_id, prompt=firing.firing_class not in POLITE),
        "due_at": firing.due_at,
        "nominal_day": firing.nominal_day,
        "dedupe_key": firing.dedupe_key,
        "event_id": firing.event_id,
        "task_id": firing.task_id,
        "rule_id": firing.rule_id,
        "user_id": firing.user_id,
        "firing_class": str(firing.firing_class),
        "grace_seconds": int(firing.grace.total_seconds()),
        "useful_until": firing.useful_until,
        "zone": firing.zone,
        "event_version": firing.event_version,
        "task_version": firing.task_version,
    }


def firing_of(row: Selected) -> Firing:
    return Firing(
        dedupe_key=row.dedupe_key,
        due_at=row.due_at,
        nominal_day=row.nominal_day,
        event_id=row.event_id,
        task_id=row.task_id,
        rule_id=row.rule_id,
        user_id=UserId(row.user_id),
        firing_class=FiringClass(row.firing_class),
        grace=timedelta(seconds=row.grace_seconds),
        useful_until=row.useful_until,
        zone=row.zone,
        event_version=row.event_version,
        task_version=row.task_version,
    )


def settled_of(row: Selected) -> Settled:
    return Settled(
        user_id=UserId(row.user_id),
        event_id=row.event_id,
        task_id=row.task_id,
        rule_id=row.rule_id,
        firing_class=FiringClass(row.firing_class),
        due_at=row.due_at,
        decided_at=row.decided_at,
        outcome=Outcome(row.outcome),
        reason=row.reason,
        told_at=row.told_at,
    )
