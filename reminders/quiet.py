"""When policy reminders leave a user alone: at night, at prayer, in Ramadan, off work. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from reminders.countries import FRIDAY, country_of, fasts, is_weekend
from reminders.hijri import ramadan_near
from reminders.holidays import holiday_on
from reminders.person import FastingPolicy, Person, Quiet, Ramadan
from reminders.times import first_shown, resolve, shown_again, wall_of

NIGHT = Quiet(time(21, 30), time(8, 30))
"""The usual quiet hours."""

PRAYER = Quiet(time(12), time(14, 30))
"""On Fridays, where people go."""

FASTING_NIGHT = Quiet(time(1, 30), time(10, 30))
IFTAR = Quiet(time(18), time(20, 30))
"""In Ramadan people are up late, sleep late, and eat together at sunset."""

FASTING_CLOCK = time(11, 30)
"""When policy reminders of the morning come in Ramadan."""

EID = timedelta(days=2)
"""After Ramadan, nobody is bothered for so long."""

WORKING = Quiet(time(18), time(9))
"""When vendors do not work on a working day."""

BEFORE_QUIET = timedelta(minutes=5)
"""How long before quiet begins what cannot wait until its end is said."""

LONGEST_QUIET = timedelta(hours=16)
"""Of a day; with more, nothing could be said in time."""

_DAYS = 14
_MIDNIGHT = time()


@dataclass(frozen=True, slots=True, eq=False)
class Hush:
    """One user's quiet hours, on the user's own wall. `hush_among` gives all with the same
    habits the same one, so that what follows from it is known by that."""

    zone: str
    quiet: Quiet | None = None
    """The user's own; None for the usual ones."""
    prays: bool = False
    fasts: bool = False
    ramadans: Sequence[Ramadan] = ()
    works_in: str | None = None
    """Who is spoken to as a vendor is so in the working hours of this country alone."""

    def reason(self, wall: datetime) -> str:
        """Why it is quiet at this wall time; empty when it is not."""
        at = wall.time()
        for start, end, reason in self._windows(wall.date()):
            if start <= at and (end == _MIDNIGHT or at < end):
                return reason
        return ""

    def is_fasting(self, day: date) -> bool:
        """Whether the day is one of the user's Ramadan."""
        ramadan = ramadan_near(day, self.ramadans) if self.fasts else None
        return ramadan is not None and ramadan.starts_on <= day <= ramadan.ends_on

    def is_off(self, day: date) -> bool:
        """Whether it is quiet from one midnight to the next."""
        return any(start == end == _MIDNIGHT for start, end, _ in self._windows(day))

    def ends(self, day: date) -> Iterator[time]:
        """When it may stop being quiet on a day, and at its beginning."""
        yield _MIDNIGHT
        for _, end, _ in self._windows(day):
            if end != _MIDNIGHT:
                yield end

    def starts(self, day: date) -> Iterator[time]:
        """When it begins to be quiet on a day."""
        for start, _, _ in self._windows(day):
            yield start

    def _windows(self, day: date) -> Iterator[tuple[time, time, str]]:
        """From when up to when it is quiet within a day, and why; an end of 0 is midnight."""
        ramadan = ramadan_near(day, self.ramadans) if self.fasts else None
        fasting = ramadan is not None and ramadan.starts_on <= day <= ramadan.ends_on
        if ramadan is not None and timedelta(0) < day - ramadan.ends_on <= EID:
            yield _MIDNIGHT, _MIDNIGHT, "eid"
        if fasting:
            yield from _FASTING
        if self.works_in is not None:
            yield from self._off_work(day, self.works_in)
        # A user's own hours always hold; the usual ones give way to Ramadan's.
        elif self.quiet is not None or not fasting:
            yield from _USUAL if self.quiet is None else _within_day(self.quiet, "quiet hours")
        if self.prays and day.weekday() == FRIDAY:
            yield from _PRAYING

    def _off_work(self, day: date, country: str) -> Iterator[tuple[time, time, str]]:
        if is_weekend(day, country):
            yield _MIDNIGHT, _MIDNIGHT, "weekend"
        elif holiday_on(day, country, self.ramadans) is not None:
            yield _MIDNIGHT, _MIDNIGHT, "public holiday"
        else:
            yield from _OFF_WORK


def quiet_for(quiet: Quiet) -> timedelta:
    """How much of a day is quiet."""
    minutes = (quiet.end.hour - quiet.start.hour) * 60 + quiet.end.minute - quiet.start.minute
    return timedelta(minutes=minutes % (24 * 60))


@dataclass(frozen=True, slots=True)
class Habits:
    """All that quiet hours depend on; without a profile only the event's zone is known."""

    zone: str
    locale: str = ""
    quiet: Quiet | None = None
    fasting: FastingPolicy = FastingPolicy.AUTO
    at_work: bool = False
    """Spoken to as a vendor."""


def hush_of(
    person: Person | None,
    *,
    event_zone: str,
    ramadans: Sequence[Ramadan] = (),
    at_work: bool = False,
) -> Hush:
    """The quiet hours of a user; without a profile those usual in the event's zone.

    `at_work`: of one who is spoken to as a vendor. Quiet hours of their own hold instead of
    those in which vendors usually do not work.
    """
    if person is None:
        return hush_among(Habits(event_zone, at_work=at_work), ramadans)
    habits = Habits(person.zone_now, person.locale, person.quiet, person.fasting, at_work)
    return hush_among(habits, ramadans)


def hush_among(habits: Habits, ramadans: Sequence[Ramadan]) -> Hush:
    """The quiet hours of everybody with these habits."""
    country, policy = country_of(habits.locale, habits.zone), habits.fasting
    usual = fasts(country)
    return _hush(
        habits.zone,
        habits.quiet,
        usual,
        usual if policy is FastingPolicy.AUTO else policy is FastingPolicy.ON,
        tuple(ramadans),
        country if habits.at_work and habits.quiet is None else None,
    )


_hush: Callable[..., Hush] = lru_cache(maxsize=1024)(Hush)


def hushed(habits: Habits, now: datetime, ramadans: Sequence[Ramadan]) -> bool:
    """Whether it is quiet now for everybody with these habits; if nobody can tell, it is."""
    try:
        return bool(hush_among(habits, ramadans).reason(wall_of(now, habits.zone)))
    except (ValueError, LookupError):
        return True


def stays_allowed(instant: datetime, hush: Hush, *, within: timedelta) -> bool:
    """Whether it is quiet at no time from `instant` on for so long, as far as can be seen at once:
    on one day, and on clocks that are not changed meanwhile."""
    wall, later = wall_of(instant, hush.zone), wall_of(instant + within, hush.zone)
    if later - wall != within or later.date() != wall.date() or hush.reason(wall):
        return False
    return not any(wall.time() < start <= later.time() for start in hush.starts(wall.date()))


def next_allowed(instant: datetime, hush: Hush) -> datetime | None:
    """The first instant from `instant` on that is not quiet; None if there is none for weeks."""
    wall = wall_of(instant, hush.zone)
    if not hush.reason(wall):
        return instant
    for days in range(-1, _DAYS):
        day = wall.date() + timedelta(days=days)
        found = [
            at
            for end in hush.ends(day)
            for at in _shown(datetime.combine(day, end), hush.zone)
            if at >= instant and not hush.reason(wall_of(at, hush.zone))
        ]
        if found:
            return min(found)
    return None


def last_allowed(instant: datetime, hush: Hush) -> datetime | None:
    """Shortly before the quiet that `instant` lies in began; None if it lasts for weeks."""
    wall = wall_of(instant, hush.zone)
    if not hush.reason(wall):
        return instant
    for days in range(_DAYS):
        day = wall.date() - timedelta(days=days)
        found = [
            at
            for start in hush.starts(day)
            if (at := resolve(datetime.combine(day, start) - BEFORE_QUIET, hush.zone)) <= instant
            and not hush.reason(wall_of(at, hush.zone))
        ]
        if found:
            return max(found)
    return None


def shifted(instant: datetime, hush: Hush, *, latest: datetime) -> datetime:
    """The instant out of quiet: later, or earlier where later would be too late."""
    later = next_allowed(instant, hush)
    if later is not None and later < latest:
        return later
    return last_allowed(instant, hush) or instant


def _within_day(quiet: Quiet, reason: str) -> Iterator[tuple[time, time, str]]:
    if quiet.start < quiet.end:
        yield quiet.start, quiet.end, reason
    elif quiet.end < quiet.start:
        yield quiet.start, _MIDNIGHT, reason
        if quiet.end != _MIDNIGHT:
            yield _MIDNIGHT, quiet.end, reason


_USUAL = tuple(_within_day(NIGHT, "quiet hours"))
_OFF_WORK = tuple(_within_day(WORKING, "working hours"))
_PRAYING = tuple(_within_day(PRAYER, "friday"))
_FASTING = (*_within_day(FASTING_NIGHT, "ramadan"), *_within_day(IFTAR, "iftar"))


def _shown(wall: datetime, zone: str) -> Iterator[datetime]:
    """When the clocks show a wall time: once, or twice."""
    yield first_shown(wall, zone)
    again = shown_again(wall, zone)
    if again is not None:
        yield again
