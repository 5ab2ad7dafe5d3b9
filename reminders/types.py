"""Reminders' values. Wall-clock intent is kept; instants are derived from it at any moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from kernel.ids import UserId


class Role(StrEnum):
    """Owners decide about the event and who is in it; collaborators work on its tasks."""

    OWNER = "owner"
    COLLABORATOR = "collaborator"


@dataclass(frozen=True, slots=True)
class Event:
    """Something in a calendar. Without a `day` nothing relative to it is due yet.

    `at` and `zone` are the wall time of the place. `sched_version` rises with every change
    that can alter when, whether or whom a reminder tells; nothing that should have gone off
    before `planned_from` is made up for.
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


@dataclass(frozen=True, slots=True)
class Member:
    """A user in an event."""

    event_id: UUID
    user_id: UserId
    role: Role
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `start` up to `end`, perhaps past midnight, policy reminders wait. Equal: never."""

    start: time
    end: time


class FastingPolicy(StrEnum):
    """Whether a user's days in Ramadan are different; by default where most people's are."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Ramadan:
    """When it is in a year of the Hijri calendar, as far as anybody knows. Both days belong
    to it."""

    year: int
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Person:
    """How a user wants to be reminded. Who has no such profile lives in the event's zone.

    `zone` is home. Where the user is now is `device_zone`, when a device said so and
    `follow_device` lets it; `candidate_zone` is what one said since `candidate_since` and
    nobody believes yet. `quiet` None means the usual hours.
    """

    user_id: UserId
    zone: str
    locale: str
    muted: bool = False
    quiet: Quiet | None = None
    fasting: FastingPolicy = FastingPolicy.AUTO
    hijri: bool = False
    """Show dates in the Hijri calendar beside the others."""
    follow_device: bool = True
    device_zone: str | None = None
    device_zone_at: datetime | None = None
    candidate_zone: str | None = None
    candidate_since: datetime | None = None

    @property
    def zone_now(self) -> str:
        """The zone on whose wall the user is reminded."""
        return (self.device_zone if self.follow_device else None) or self.zone


@dataclass(frozen=True, slots=True)
class Offset:
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
    """Due relative to the event's day; all day, unless there is a time on the event's wall."""

    offset: Offset
    at: time | None = None


DueSpec = OnDay | AtWall | FromEvent | None
"""What was asked for. None: to be done, but by no particular time."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a due spec means at present. Without `at` it is all day, and then without `zone`."""

    day: date
    at: time | None = None
    zone: str | None = None


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


@dataclass(frozen=True, slots=True)
class CalendarLead:
    """So many calendar days before the due day, at a wall time: "1 day before at 09:00"."""

    before: Offset
    """Positive numbers: how much earlier."""
    at: time


@dataclass(frozen=True, slots=True)
class ElapsedLead:
    """So much time before the due instant: "90 minutes before". Only timed dues have one."""

    before: timedelta


Lead = CalendarLead | ElapsedLead


class ZonePolicy(StrEnum):
    """On whose wall a calendar lead's time is."""

    RECIPIENT = "recipient"
    EVENT = "event"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Rule:
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


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a decision about an event looks at: the event, its members, its rules, one task.

    The task may be a deleted one. With a task the rules are those that touch it; without one
    they are all of the event's.
    """

    event: Event
    members: Sequence[Member]
    rules: Sequence[Rule]
    task: Task | None
    task_count: int

    def member(self, user_id: UserId) -> Member | None:
        """The user's membership."""
        return next((each for each in self.members if each.user_id == user_id), None)
