"""When an entry of a calendar is (RFC 5545, 3.3.4 and 3.3.5), as dues have it. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from icalendar import vDuration

from kernel.errors import InvalidInput
from reminders.imports.components import Component, Property
from reminders.imports.zones import UnknownZone, Zones, wall_read
from reminders.times import checked_day, resolve, wall_of
from reminders.types import AtWall, OnDay

_DAY = re.compile(r"\d{8}", re.ASCII)


class Unreadable(ValueError):
    """What an entry says about when it is means nothing to us."""


@dataclass(slots=True)
class Places:
    """What moments are read with: the calendar's zones, and the event's for those without."""

    zones: Zones
    home: str
    patience: int = 20_000
    """Days on which rules may still be looked for their first occurrence, all of them together:
    nearly all come true on the first."""

    def moment(self, given: Property, name: str, *, again: bool = False) -> OnDay | AtWall:
        """The day or the wall time that a property says. What comes `again` needs a zone whose
        rules we know."""
        text = given.value.strip()
        try:
            if _DAY.fullmatch(text):
                return OnDay(checked_day(date.fromisoformat(text), field=name))
            wall = wall_read(text.removesuffix("Z")).replace(second=0)
            checked_day(wall.date(), field=name)
            tzid = "Z" if text.endswith("Z") else given.params.get("TZID", "")
            return self._at(wall, tzid, again=again)
        except InvalidInput as error:
            raise Unreadable(error.message) from None
        except UnknownZone as error:
            raise Unreadable(str(error)) from None
        except (ValueError, OverflowError):
            raise Unreadable(f"{name} is not a day or a time") from None

    def _at(self, wall: datetime, tzid: str, *, again: bool) -> AtWall:
        if tzid == "Z":
            if again:
                return AtWall(wall.date(), wall.time(), "UTC")
            return self._here(wall.replace(tzinfo=UTC))
        if not tzid:
            return AtWall(wall.date(), wall.time(), self.home)
        zone = self.zones.named(tzid)
        if zone is not None:
            return AtWall(wall.date(), wall.time(), zone)
        instant = self.zones.instant(wall, tzid)
        if again:
            raise UnknownZone(f"it comes again in {tzid[:60]!r}, a time zone that is not known")
        return self._here(instant)

    def _here(self, instant: datetime) -> AtWall:
        wall = wall_of(instant, self.home)
        return AtWall(checked_day(wall.date()), wall.time(), self.home)

    def day(self, given: Property, text: str, due: OnDay | AtWall, name: str) -> date:
        """On which day of a series' own wall one of its occurrences is."""
        found = self.moment(Property(text, given.params), name, again=True)
        if isinstance(found, OnDay) or isinstance(due, OnDay):
            return found.day
        return wall_of(instant_of(found), due.zone).date()


def instant_of(due: AtWall) -> datetime:
    return resolve(datetime.combine(due.day, due.at), due.zone)


def duration_of(text: str) -> timedelta:
    """How long a text such as -PT15M is. Raises `ValueError` for any other."""
    try:
        found: timedelta = vDuration.from_ical(text.strip().upper())  # type: ignore[no-untyped-call]
    except (OverflowError, TypeError) as error:
        raise ValueError(text) from error
    return found


def length_of(component: Component, due: OnDay | AtWall, places: Places) -> timedelta | None:
    """How long an entry takes, if it says so in a way that can be read."""
    try:
        if given := component.text("DURATION"):
            return duration_of(given)
        end = component.first("DTEND")
        if end is None:
            return timedelta(days=1) if isinstance(due, OnDay) else timedelta(0)
        until = places.moment(end, "DTEND")
    except ValueError:
        return None
    if isinstance(due, OnDay) or isinstance(until, OnDay):
        return until.day - due.day
    return instant_of(until) - instant_of(due)
