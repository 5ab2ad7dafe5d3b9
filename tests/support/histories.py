"""What people did to one event, and whom it should have told of what: a model on its own.

It knows none of the rules' code. It asks the clocks of a zone what they show, quarter by
quarter, and keeps what was asked for in its own words. Only exact reminders are foretold
(those of one rule of the event, and snoozes); of polite ones it knows when they may not come.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from uuid import UUID
from zoneinfo import ZoneInfo

from kernel.ids import UserId

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
FRIDAY = 4
EXACT = "exact_calendar"
"""The class of all that is foretold."""


@cache
def clocks(zone: str) -> ZoneInfo:
    """The zone as the package has it: the host's may be years old."""
    with resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=zone)


@cache
def shown_at(wall: datetime, zone: str) -> datetime:
    """The first quarter of an hour at which the clocks show `wall` or more."""
    at = wall.replace(tzinfo=UTC) - timedelta(hours=16)
    while at.astimezone(clocks(zone)).replace(tzinfo=None) < wall:
        at += QUARTER
    return at


@dataclass
class Who:
    """How somebody lives."""

    zone: str
    quiet: tuple[time, time] | None = None
    """Their own hours; None for the usual ones."""
    muted: bool = False

    def rests(self, now: datetime, ramadans: Collection[tuple[date, date]]) -> bool:
        """Whether polite reminders leave this Algerian alone now."""
        wall = now.astimezone(clocks(self.zone)).replace(tzinfo=None)
        at, today = wall.time(), wall.date()
        fasts = any(first <= today <= last for first, last in ramadans)
        if any(timedelta(0) < today - last <= 2 * DAY for _, last in ramadans):
            return True
        windows = [self.quiet] if self.quiet else []
        if fasts:
            windows += [(time(1, 30), time(10, 30)), (time(18), time(20, 30))]
        elif not self.quiet:
            windows.append((time(21, 30), time(8, 30)))
        if today.weekday() == FRIDAY:
            windows.append((time(12), time(14, 30)))
        return any(
            start <= at < end if start < end else at >= start or at < end for start, end in windows
        )


@dataclass
class Job:
    """A task: due on a day, or so many days before the event's."""

    due: date | int
    since: datetime
    assignee: UserId | None = None
    done: bool = False
    reopened: datetime | None = None
    snoozes: dict[UserId, tuple[UUID, datetime]] = field(default_factory=dict)


Word = tuple[str, UUID, UserId]
"""Something told: a "rule" or a "snooze", of which task, to whom."""


@dataclass
class Book:
    """One event with all that was done to it."""

    owners: dict[UserId, Who]
    day: date
    since: datetime
    at: time
    """When the rule speaks on the evening before, since then."""
    ruled: datetime
    jobs: dict[UUID, Job] = field(default_factory=dict)
    settled: set[object] = field(default_factory=set)
    over: bool = False
    paused: set[str] = field(default_factory=set)
    """Classes of reminders that wait until an operator resumes them."""
    back: tuple[date, datetime, datetime] | None = None
    """Where it was before it was moved, since when, and until when that can be undone."""

    def move(self, day: date, now: datetime) -> None:
        """Who is back within ten minutes is told as if nothing had been."""
        there = self.back is not None and self.back[0] == day and now < self.back[2]
        since = self.back[1] if self.back is not None and there else now
        self.back = self.day, self.since, now + timedelta(minutes=10)
        self.day, self.since = day, since

    def due(self, job: Job) -> date:
        return job.due if isinstance(job.due, date) else self.day - timedelta(days=job.due)

    def concerned(self, job: Job) -> list[UserId]:
        return [job.assignee] if job.assignee else sorted(self.owners)

    def words(self) -> list[tuple[datetime, datetime, object, Word]]:
        """What waits: from when, until when, what makes it this one, and what it is."""
        found: list[tuple[datetime, datetime, object, Word]] = []
        for task, job in self.jobs.items():
            if job.done or self.over:
                continue
            day = self.due(job)
            for user in self.concerned(job):
                zone = self.owners[user].zone
                at = shown_at(datetime.combine(day - DAY, self.at), zone)
                hangs = not isinstance(job.due, date)
                if at >= max(self.ruled, job.since, *([self.since] if hangs else [])):
                    until = shown_at(datetime.combine(day + DAY, time()), zone)
                    found.append((at, until, (task, user, day), ("rule", task, user)))
            for user, (action, at) in job.snoozes.items():
                if job.reopened is None or at >= job.reopened:
                    found.append((at, at + DAY, action, ("snooze", task, user)))
        return [each for each in found if each[2] not in self.settled]

    def next(self, now: datetime) -> datetime | None:
        """When something is told next."""
        return min((at for at, *_ in self.words() if at > now), default=None)

    def step(self, now: datetime) -> list[Word]:
        """What is told when everything that is due by now is looked at."""
        told: list[Word] = []
        if EXACT in self.paused:
            return told
        for at, until, identity, word in self.words():
            if at <= now:
                self.settled.add(identity)
                if now < until and not self.owners[word[2]].muted:
                    told.append(word)
        return sorted(told)
