"""Comparing what waits with what would be planned now: the two must agree."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from reminders.firing import Firing
from reminders.types import Inputs


@dataclass(frozen=True, slots=True)
class Compared:
    """One event: firings that its plan lacks, and such that it should not have."""

    event_id: UUID
    missing: int = 0
    extra: int = 0

    @property
    def drift(self) -> int:
        return self.missing + self.extra


Plan = Callable[[Inputs, datetime], Sequence[Firing]]
"""What is true about an event, and until when its plan reaches, as firings."""


class PlanStore(Protocol):
    """Plans, looked at. Every method is one whole transaction."""

    async def compare(self, after: UUID, plan: Plan, *, now: datetime) -> Compared | None:
        """The first event after an id, with how its coming firings differ from `plan`; None if
        there is none after it. What is marked is about to be planned, and agrees meanwhile."""
        ...
