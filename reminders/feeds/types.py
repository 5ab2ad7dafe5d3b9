"""A calendar feed's values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kernel.ids import UserId
from reminders.person import Person
from reminders.types import Event, Role, Task


class Shown(StrEnum):
    """What tasks are in a calendar. Most apps show only its events."""

    EVENTS = "events"
    TODOS = "todos"
    NOTHING = "nothing"


class Whose(StrEnum):
    """Whose tasks are in it."""

    ALL = "all"
    MINE = "mine"
    """Those that its user is told of."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A calendar that its user's apps fetch: of one event, or of all (`event_id` None).

    Whoever knows its secret may read it; only a hash of that is kept.
    """

    id: UUID
    user_id: UserId
    event_id: UUID | None
    shown: Shown
    whose: Whose
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Edition:
    """How often an event in a feed was changed, and what its user is in it."""

    event_id: UUID
    revision: int
    role: Role


@dataclass(frozen=True, slots=True)
class Reading:
    """A feed that is read, with all that decides what it says."""

    feed: Feed
    person: Person | None
    editions: Sequence[Edition]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One event of a feed with those of its tasks that its user sees; each with when it was
    changed last."""

    event: Event
    changed_at: datetime
    role: Role
    tasks: Sequence[tuple[Task, datetime]]
