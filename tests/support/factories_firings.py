"""Firings as planning makes them, for tests and benchmarks that need no plan."""

import uuid
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import structs

from kernel.ids import UserId
from reminders.firing import Firing, FiringClass
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
