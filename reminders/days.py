"""The days of an event beside its own: its parts', answers are due by, where it was before."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from kernel.ids import UserId

MAIN = "main"
"""The anchor that every event has: its own day."""

UNDO = timedelta(minutes=10)
"""How long a move can be undone; until then no policy reminder of the event goes off."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A named part of an event that has a day of its own: the civil act, the henna.

    Either a `day`, or `days` after the event's own, or that of another part (negative: before).
    Without `zone` it is on the event's wall.
    """

    code: str
    day: date | None = None
    days: int | None = None
    at: time | None = None
    zone: str | None = None
    of: str = MAIN
    """Which part's day the `days` are counted from."""
    since: datetime | None = None
    """From when on it is planned there."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when the guests of a part answer: on a `day`, or so many `days` from the part's own."""

    part: str
    day: date | None = None
    days: int | None = None
    since: datetime | None = None
    """From when on this was said."""


@dataclass(frozen=True, slots=True)
class Place:
    """When and where an event is."""

    day: date | None
    at: time | None
    zone: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Where an event was before it was moved, and until when that can be undone."""

    day: date | None
    at: time | None
    zone: str
    until: datetime
    by: UserId | None = None
    """Who moved it, and so knows."""
    known: Place | None = None
    """Where everybody else believes it to be."""
    planned_from: datetime | None = None
    """From when on it was planned there: back there, it is again."""
    first_until: datetime | None = None
    """Until when the first of several moves in a row could be undone: they are told as one."""
    untold: "Moved | None" = None
    """The move before these, if not everybody was surely told of it: where everybody believes
    the event to be, it is what is news."""

    @property
    def place(self) -> Place:
        return Place(self.day, self.at, self.zone)
