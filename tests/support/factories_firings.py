"""Firings as planning makes them, for tests and benchmarks that need no plan."""

import uuid
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import structs

from kernel.ids import UserId
from reminders.adapters.firing_columns import columns_of_firing
from reminders.adapters.mapping import LOG, Columns
from reminders.firing import Firing, FiringClass, Outcome
from reminders.types import Event


def firing(
    about: Event, task_id: UUID, rule_id: UUID, user_id: UserId, due_at: datetime, **others: Any
) -> Firing:
    """One that is due at an instant, in time and of use for a day; `others` are its fields."""
    usual = Firing(
        dedupe_key=uuid.uuid4().bytes,
        due_at=due_at,
        nominal_day=due_at.date(),
        event_id=about.id,
        task_id=task_id,
        rule_id=rule_id,
        user_id=user_id,
        firing_class=FiringClass.POLICY_NEAR,
        grace=timedelta(hours=2),
        useful_until=due_at + timedelta(days=1),
        zone=about.zone,
        event_version=1,
        task_version=1,
    )
    return structs.replace(usual, **others)


def record(settled: Firing, outcome: Outcome) -> Columns:
    """What is on record of a firing that came to such an end when it was due."""
    end = {"decided_at": settled.due_at, "outcome": str(outcome), "reason": ""}
    columns = columns_of_firing(settled) | end
    return {column.name: columns[column.name] for column in LOG.c}
