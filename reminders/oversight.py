"""What operators decide about reminders, and what they see coming: values, and their port."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from kernel.identity import Principal
from kernel.ids import UserId
from reminders.firing import FiringClass


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that an operator did and may have to answer for. It is recorded in the
    transaction that does it, or not done."""

    by: Principal
    action: str
    """`<noun>.<past participle>`."""
    subject: str
    """`<noun>:<id>`."""


@dataclass(frozen=True, slots=True)
class Minute:
    """How many firings of a class are due in a minute."""

    at: datetime
    firing_class: FiringClass
    firings: int


@dataclass(frozen=True, slots=True)
class Late:
    """How many firings of a class are due already, and since when the first of them is."""

    firing_class: FiringClass
    firings: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Forecast:
    """What goes off in a while, as planned now: by minute and class, in order, without empty
    ones; and what is due already, by class."""

    minutes: Sequence[Minute]
    late: Sequence[Late]

    @property
    def overdue(self) -> int:
        return sum(each.firings for each in self.late)


@dataclass(frozen=True, slots=True)
class Dead:
    """A firing that could not be judged or put into words, and why."""

    event_id: UUID
    task_id: UUID
    user_id: UserId
    firing_class: FiringClass
    due_at: datetime
    decided_at: datetime
    reason: str


class OperatingStore(Protocol):
    """What operators decide. Every method is one whole transaction, with the deed's record."""

    async def paused(self) -> Mapping[FiringClass, datetime]:
        """The classes of which nothing goes off, and since when."""
        ...

    async def pause(self, firing_class: FiringClass, *, deed: Deed, now: datetime) -> bool:
        """Let nothing of a class go off; whether it did until now."""
        ...

    async def resume(self, firing_class: FiringClass, *, deed: Deed, now: datetime) -> bool:
        """Let it go off again; whether it was paused."""
        ...

    async def mark(self, event_id: UUID, *, deed: Deed, now: datetime) -> bool:
        """Have an event's plan made again; whether there is such an event."""
        ...

    async def mark_all(self, *, deed: Deed, now: datetime) -> int:
        """Have the plan of every event that is not cancelled made again; how many."""
        ...

    async def spread(self) -> timedelta:
        """Over how long policy spreads, as somebody wanted it; 0 is as usual."""
        ...

    async def put_spread(self, spread: timedelta, *, deed: Deed, now: datetime) -> int:
        """Spread policy so, and have every plan made again that is not cancelled; how many."""
        ...

    async def dead(self, *, since: date, limit: int) -> Sequence[Dead]:
        """The firings about days from then on that died, the last one first."""
        ...

    async def revive(self, event_id: UUID, *, deed: Deed, now: datetime) -> int | None:
        """Forget that firings of an event died, and have its plan made again; how many. None if
        there is no such event."""
        ...

    async def forecast(self, *, now: datetime, until: datetime) -> Forecast:
        """What is due until then."""
        ...
