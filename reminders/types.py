"""Reminders' values. Wall-clock intent is kept; instants are derived from it at any moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from kernel.ids import UserId
from reminders.days import MAIN, Anchor, Deadline, Moved
from reminders.guest import Guest
from reminders.nearby import Nearby
from reminders.person import Person, Ramadan


class Role(StrEnum):
    """Who may do what is in `reminders.authority`, who sees which task in `reminders.sight`."""

    OWNER = "owner"
    COLLABORATOR = "collaborator"
    VENDOR = "vendor"
    GUEST = "guest"


@dataclass(frozen=True, slots=True)
class Event:
    """Something in a calendar. Without a `day` nothing relative to it is due yet.

    `at` and `zone` are the wall time of the place. `sched_version` rises with every change
    that can alter when, whether or whom a reminder tells; nothing that hangs on the event and
    should have gone off before `planned_from` is made up for.
    """

    id: UUID
    title: str
    zone: str
    day: date | None
    at: time | None
    created_by: UserId | None
    created_at: datetime
    planned_from: datetime
    sched_version: int = 1
    cancelled_at: datetime | None = None
    anchors: tuple[Anchor, ...] = ()
    moved: Moved | None = None
    usual: bool = False
    """Its eve and its day are told of as the product usually does."""
    deadlines: tuple[Deadline, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A user in an event. A vendor is called to a `part`, when it begins or at `call_at`."""

    event_id: UUID
    user_id: UserId
    role: Role
    joined_at: datetime
    part: str = MAIN
    call_at: time | None = None


class Offset(msgspec.Struct, frozen=True):
    """Months, then weeks and days, counted once from a day; negative means before."""

    months: int = 0
    weeks: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class OnDay:
    """Due some time on a day: that date on the wall of whoever looks, in no zone."""

    day: date


@dataclass(frozen=True, slots=True)
class AtWall:
    """Due at a wall time of a place: an appointment."""

    day: date
    at: time
    zone: str


@dataclass(frozen=True, slots=True)
class FromEvent:
    """Due relative to an anchor's day; all day, unless there is a time on its wall.

    With a `span`, the days that a whole plan takes, what was begun on `start` too late for it
    is compressed into the days that are left.
    """

    offset: Offset
    at: time | None = None
    anchor: str = MAIN
    span: int = 0
    start: date | None = None


DueSpec = OnDay | AtWall | FromEvent | None
"""What was asked for. None: to be done, but by no particular time."""


class Due(msgspec.Struct, frozen=True):
    """What a due spec means at present. Without `at` it is all day, and then without `zone`."""

    day: date
    at: time | None = None
    zone: str | None = None


class Priority(StrEnum):
    """How much depends on a task, and so how often and how early it is spoken of."""

    KEY = "key"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Payment:
    """What a vendor is owed when the task is due; in the currency's smallest unit."""

    amount: int
    currency: str
    vendor: str = ""
    vendor_id: UserId | None = None
    """The member who is owed it, and told when nobody says that it was paid."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A task that comes again: the rule, the day it began on, and how far it got; with
    `from_completion` the next one is counted from the day on which one was done."""

    rule: str
    start: date
    from_completion: bool = False
    except_on: tuple[date, ...] = ()
    done: int = 0
    last_on: date | None = None
    """The occurrence that was done last, while that can be taken back."""
    last: AtWall | None = None
    """Where that was, if it had been moved to a time of its own."""
    meant_on: date | None = None
    """The day of the rule that the open occurrence was on before it was moved to another."""
    meant: AtWall | None = None
    """Where it would be, if it was moved to a time of its own: all others still are then."""


@dataclass(frozen=True, slots=True)
class Snooze:
    """A user asked to be told again at an instant, for the `number`th time."""

    action_id: UUID
    user_id: UserId
    at: datetime
    number: int = 1
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user chose for one task: to be told of it as usual, or not; None is like others."""

    user_id: UserId
    usual: bool | None = None
    nag: bool = True


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """What a task says beside its title and due. Stored as one JSON text."""

    notes: str = ""
    priority: Priority = Priority.NORMAL
    usual: bool = False
    """Spoken of as the product usually does for its priority, beside the rules there are."""
    nag: bool = True
    """With `usual`: go on when it is overdue."""
    opens: FromEvent | None = None
    """Not to be done before that day."""
    parent_id: UUID | None = None
    """The task that this is a part of."""
    payment: Payment | None = None
    recurs: Recurrence | None = None
    snoozes: tuple[Snooze, ...] = ()
    choices: tuple[Choice, ...] = ()
    nearby: tuple[Nearby, ...] = ()
    reopened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done. Told to the assignee, or to the owners while there is none."""

    id: UUID
    event_id: UUID
    title: str
    due: DueSpec
    assignee_id: UserId | None
    created_by: UserId | None
    created_at: datetime
    planned_from: datetime
    sched_version: int = 1
    done_at: datetime | None = None
    deleted_at: datetime | None = None
    details: TaskDetails = TaskDetails()


class CalendarLead(msgspec.Struct, frozen=True):
    """So many calendar days before the due day, at a wall time: "1 day before at 09:00"."""

    before: Offset
    """Positive numbers: how much earlier."""
    at: time


class ElapsedLead(msgspec.Struct, frozen=True):
    """So much time before the due instant: "90 minutes before". Only timed dues have one."""

    before: timedelta


Lead = CalendarLead | ElapsedLead


class ZonePolicy(StrEnum):
    """On whose wall a calendar lead's time is."""

    RECIPIENT = "recipient"
    EVENT = "event"
    FIXED = "fixed"


class Rule(msgspec.Struct, frozen=True):
    """When to speak up about a task, or about every task of the event (`task_id` None).

    `user_id` is who is told; None means whoever the task is for. `exact` says that a person
    typed this time; otherwise it is policy, and may give way to other considerations.
    """

    id: UUID
    event_id: UUID
    task_id: UUID | None
    user_id: UserId | None
    lead: Lead
    exact: bool
    created_at: datetime
    planned_from: datetime
    zone_policy: ZonePolicy = ZonePolicy.RECIPIENT
    zone: str | None = None
    """Only for the fixed policy."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that decides an event's firings."""

    event: Event
    members: Sequence[Member]
    tasks: Sequence[Task]
    rules: Sequence[Rule]
    people: Mapping[UserId, Person]
    ramadans: Sequence[Ramadan] = ()
    """Those that operators know of; the others are computed."""
    guests: Sequence[Guest] = ()
    """Those who have not answered, and may be asked."""
    waiting_since: datetime | None = None
    """When the first of the firings that wait already is due."""
    spread: timedelta = timedelta(0)
    """Over how long policy spreads, if operators want more than is usual."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a decision about an event looks at: the event, its members, its rules, one task.

    The task may be a deleted one. With a task the rules are those that touch it; without one
    they are all of the event's. `tasks` are all it ever had, for who asks for them.
    """

    event: Event
    members: Sequence[Member]
    rules: Sequence[Rule]
    task: Task | None
    task_count: int
    tasks: Sequence[Task] = ()
    version: int = 0
    """Each change in the event raises it by one."""
    others: int = 0
    """How many others there are of what was to be counted."""

    def member(self, user_id: UserId) -> Member | None:
        """The user's membership."""
        return next((each for each in self.members if each.user_id == user_id), None)
