"""Firings: one rule going off for one user, and what becomes of that."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from kernel.ids import UserId
from reminders.days import MAIN
from reminders.person import Person
from reminders.types import Event, Task


class FiringClass(StrEnum):
    """How exactly a firing is meant, and so how long it stays useful."""

    EXACT_ELAPSED = "exact_elapsed"
    EXACT_CALENDAR = "exact_calendar"
    POLICY_FAR = "policy_far"
    POLICY_NEAR = "policy_near"
    POLICY_LOW = "policy_low"
    """Not worth a push: told in the next digest."""
    NAG = "nag"
    """About what is overdue."""
    PAYMENT = "payment"
    """About what somebody is owed: told even when that is late."""
    PAYMENT_LATE = "payment_late"
    """The same, overdue."""
    EVENT = "event"
    """News of the event itself: polite, and always told."""
    EVENT_DAY = "event_day"
    """The event begins, or a vendor's part in it: told whatever the hour."""
    GUEST = "guest"
    """To guests who have not answered."""
    DIGEST = "digest"
    """What else there is, in one. It has turns in place of firings."""


BUDGETED = frozenset({FiringClass.POLICY_FAR, FiringClass.POLICY_NEAR, FiringClass.NAG})
"""Classes of which a user gets so many pushes a day, and no more."""

PAYMENTS = frozenset({FiringClass.PAYMENT, FiringClass.PAYMENT_LATE})
OVERDUE = frozenset({FiringClass.NAG, FiringClass.PAYMENT_LATE})
ABOUT_EVENT = frozenset({FiringClass.EVENT, FiringClass.EVENT_DAY, FiringClass.GUEST})
"""Classes of firings that are about no task. The event's id stands in its place, or a guest's."""


class Firing(msgspec.Struct, frozen=True):
    """One rule going off for one due value and one user. `dedupe_key` is its identity.

    `nominal_day` is the due day that the identity was made from: unlike `due_at` it never
    moves. `zone` is the wall that `due_at` was found on. The two versions are those of the
    task and event it was planned from; it is stale when they have risen since.
    """

    dedupe_key: bytes
    due_at: datetime
    nominal_day: date
    event_id: UUID
    task_id: UUID
    rule_id: UUID
    user_id: UserId
    firing_class: FiringClass
    grace: timedelta
    useful_until: datetime
    zone: str
    event_version: int
    task_version: int


@dataclass(frozen=True, slots=True)
class Coming:
    """A page of what a user will be told, and what its events and tasks are called by their ids."""

    items: Sequence[Firing]
    cursor: str | None
    titles: Mapping[UUID, str]


class Outcome(StrEnum):
    """What became of a firing."""

    FIRED = "fired"
    FOLDED = "folded"
    """Told together with others, later than its grace."""
    DONE = "done"
    GONE = "gone"
    MUTED = "muted"
    EXPIRED = "expired"
    DEAD = "dead"
    DEFERRED = "deferred"
    """It is quiet now, whatever was planned. Not recorded: it waits until that is over."""
    STALE = "stale_replanned"
    """Planned from what is no longer so: the plan decides anew. Recorded, once its time has come,
    as superseded."""
    SUPERSEDED = "superseded"
    """Its time had come, and it was not planned any more. If it is planned again, it may still
    go off."""


@dataclass(frozen=True, slots=True)
class DueFiring:
    """A firing whose time has come, with what is true about it now.

    `standing` is whether its rule and the user's membership still exist; `at_work` whether the
    user is spoken to as a vendor.
    """

    firing: Firing
    event: Event
    task: Task | None
    person: Person | None
    standing: bool
    part: str = MAIN
    """The part that a guest is invited to."""
    at_work: bool = False
    changed: bool = False
    """The user's zone, or what else plans are made of, is another since it was handed over, or
    since so shortly before that nobody may have planned it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a due firing, and why."""

    outcome: Outcome
    reason: str = ""
    until: datetime | None = None
    """When a deferred one is looked at again."""
    for_digest: bool = False
    """The user's next digest tells it."""


POISON = (ValueError, LookupError, TypeError)
"""What is raised for one thing that cannot be read, judged or worded, and must not hold back
all others."""


def death_by(error: Exception) -> Judgement:
    """What becomes of a firing for which that was raised."""
    return Judgement(Outcome.DEAD, f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Settled:
    """A firing that was judged; `lateness` is how long after its due time, if not before."""

    user_id: UserId
    event_id: UUID
    task_id: UUID
    rule_id: UUID
    firing_class: FiringClass
    due_at: datetime
    decided_at: datetime
    outcome: Outcome
    reason: str
    told_at: datetime | None = None
    """When a digest told what was folded."""
    notice_keys: tuple[str, ...] = ()
    """Of those that may have told it, where that is asked for."""

    @property
    def lateness(self) -> timedelta:
        return max(timedelta(0), self.decided_at - self.due_at)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many firings of a class came to the same end for the same reason: how late each was, in
    seconds. Without one they had come to it before: a race planned them again."""

    firing_class: FiringClass
    outcome: Outcome | None
    lateness: Sequence[float]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """Which firings are looked at: those due up to `until`, unless their class is paused, and
    not those due before `since`."""

    until: datetime
    since: datetime | None = None
    paused: Collection[FiringClass] = ()
    by_user: bool = False
    """With the first ones everything else of the same users: so it can be told in one."""
