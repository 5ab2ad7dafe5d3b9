"""When a user's next digest comes: in their morning, on the days that it is for. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from kernel.ids import UserId
from reminders.countries import SATURDAY, country_of, weekend_of
from reminders.firing import FiringClass
from reminders.lateness import grace_of
from reminders.person import Digests, Person, Ramadan
from reminders.placing import jitter_of
from reminders.quiet import FASTING_CLOCK, Hush, hush_of, next_allowed
from reminders.times import resolve, wall_of
from reminders.types import Role

MORNING = time(8, 30)
"""When the digest comes: as the usual quiet hours end."""

SPREAD = timedelta(minutes=15)
SPREAD_OF_WEEK = timedelta(minutes=30)

_DAYS = 21
"""How far ahead a day is looked for on which it is not quiet all morning."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose digest it is: on which wall, in which part."""

    user_id: UserId
    person: Person | None
    event_zone: str
    roles: frozenset[Role]
    ramadans: Sequence[Ramadan] = ()

    @property
    def zone(self) -> str:
        return self.event_zone if self.person is None else self.person.zone_now

    @property
    def locale(self) -> str:
        return "" if self.person is None else self.person.locale

    @property
    def choice(self) -> Digests:
        return Digests.DAILY if self.person is None else self.person.digest

    @property
    def hush(self) -> Hush:
        return hush_of(
            self.person,
            event_zone=self.event_zone,
            ramadans=self.ramadans,
            at_work=self.at_work,
        )

    @property
    def at_work(self) -> bool:
        """Whether all they do in events is work."""
        return self.roles == {Role.VENDOR}


@dataclass(frozen=True, slots=True)
class Turn:
    """When a digest is due, and the day that it is about."""

    due_at: datetime
    on: date


def week_begins(reader: Reader) -> int:
    """The weekday on which the week ahead is told.

    To couples on Saturday, or where people work then on the first day of their weekend; to
    vendors on the first day that they work.
    """
    weekend = weekend_of(country_of(reader.locale, reader.zone))
    if reader.at_work:
        return (weekend[-1] + 1) % 7
    return SATURDAY if SATURDAY in weekend else weekend[0]


def is_week(reader: Reader, day: date) -> bool:
    """Whether that day's digest is about the whole week.

    A vendor's week begins later when its first days are holidays.
    """
    begins, hush = week_begins(reader), reader.hush
    if hush.works_in is None:
        return day.weekday() == begins
    since = (day - timedelta(days=each) for each in range((day.weekday() - begins) % 7 + 1))
    return [each for each in since if not hush.is_off(each)] == [day]


def next_turn(reader: Reader, *, after: datetime, told_on: date | None) -> Turn | None:
    """The next digest that has not been told; None for who wants none."""
    if reader.choice is Digests.OFF:
        return None
    today = wall_of(after, reader.zone).date()
    for day in _days_from(today):
        if (told_on is not None and day <= told_on) or not _is_wanted(reader, day):
            continue
        at = _placed(reader, day, SPREAD_OF_WEEK if is_week(reader, day) else SPREAD)
        if at is not None and at > after:
            return Turn(at, day)
    return None


def is_timely(reader: Reader, turn: Turn, *, now: datetime) -> bool:
    """Whether a digest that came due may still be told: on its day, before it is noon."""
    wall = wall_of(now, reader.zone)
    grace = grace_of(FiringClass.DIGEST, turn.due_at, reader.zone)
    return (
        wall.date() == turn.on
        and _is_wanted(reader, turn.on)
        and wall.time() >= _clock(reader, turn.on)
        and now - turn.due_at <= grace
        and not reader.hush.reason(wall)
    )


def _is_wanted(reader: Reader, day: date) -> bool:
    return reader.choice is Digests.DAILY or is_week(reader, day)


def _placed(reader: Reader, day: date, spread: timedelta) -> datetime | None:
    """When the day's digest comes; None when it is quiet all morning."""
    clock, hush = _clock(reader, day), reader.hush
    at = next_allowed(resolve(datetime.combine(day, clock), reader.zone), hush)
    usual = resolve(datetime.combine(day, max(clock, MORNING)), reader.zone)
    if at is None or at - usual > grace_of(FiringClass.DIGEST, usual, reader.zone):
        return None
    later = at + jitter_of(reader.user_id, spread)
    return at if hush.reason(wall_of(later, reader.zone)) else later


def _clock(reader: Reader, day: date) -> time:
    chosen = None if reader.person is None else reader.person.digest_at
    clock = MORNING if chosen is None else chosen
    return max(clock, FASTING_CLOCK) if reader.hush.is_fasting(day) else clock


def _days_from(first: date) -> Iterable[date]:
    return (first + timedelta(days=days) for days in range(_DAYS))
