"""Which zone a calendar means: by a name that we know, or by the rules that it describes. Pure."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from kernel.errors import InvalidInput
from reminders.hijri_years import HijriYearly
from reminders.imports.components import Component
from reminders.recurrence import recurring
from reminders.times import zone_names

PARTS = 20
"""Changes of the clocks that one zone may describe, each perhaps every year."""

OBSERVED = 20
"""Years of described zones that are looked at in one calendar."""

RULE = 80
"""Characters of a rule by which clocks change; the longest that is used has 60."""

_WALL = re.compile(r"\d{8}T\d{6}", re.ASCII)

Onset = tuple[datetime, timedelta]
"""From when on, on the wall before, the clocks show what offset."""


class UnknownZone(ValueError):
    """Nobody knows what the clocks show there."""


class Zones:
    """The zones of one calendar."""

    def __init__(self, calendar: Component) -> None:
        self._described = {each.text("TZID").strip(): each for each in calendar.walk("VTIMEZONE")}
        self._onsets: dict[tuple[str, int], Sequence[Onset]] = {}

    def named(self, tzid: str) -> str | None:
        """The IANA zone that is meant; None if only the calendar's own rules say."""
        tzid = tzid.strip()
        described = self._described.get(tzid)
        location = "" if described is None else described.text("X-LIC-LOCATION").strip()
        for name in (tzid, WINDOWS_TO_OLSON.get(tzid, ""), location):
            if name in zone_names():
                return name
        # Some programs put their own name before the zone's: /example.org/20260101/Europe/Paris.
        parts = tzid.split("/")
        endings = ("/".join(parts[start:]) for start in range(max(1, len(parts) - 3), len(parts)))
        return next((each for each in endings if each in zone_names()), None)

    def instant(self, wall: datetime, tzid: str) -> datetime:
        """The instant of a wall time by the rules that the calendar describes for the zone."""
        described = self._described.get(tzid.strip())
        if described is None:
            raise UnknownZone(f"the time zone {tzid[:60]!r} is not known and not described")
        key = (tzid.strip(), wall.year)
        if key not in self._onsets:
            if len(self._onsets) >= OBSERVED:
                raise UnknownZone("too many zones of its own, over too many years")
            self._onsets[key] = _onsets(described, wall.year)
        onsets = self._onsets[key]
        place = bisect_right(onsets, (wall, timedelta.max))
        _, offset = onsets[max(0, place - 1)]
        return (wall - offset).replace(tzinfo=UTC)


def wall_read(text: str) -> datetime:
    """The wall time that a text such as 20260329T020000 is. Raises `ValueError` for any other."""
    if not _WALL.fullmatch(text.strip()):
        raise ValueError(text)
    return datetime.fromisoformat(text.strip())


def _onsets(zone: Component, year: int) -> Sequence[Onset]:
    """The changes of the clocks up to the end of a year that may matter in it, in order."""
    parts = [each for each in zone.parts if each.name in ("STANDARD", "DAYLIGHT")]
    if not 1 <= len(parts) <= PARTS:
        raise UnknownZone("its time zone describes no clocks, or too many changes of them")
    found: list[Onset] = []
    for part in parts:
        try:
            start = wall_read(part.text("DTSTART"))
            offset = _offset(part.text("TZOFFSETTO"))
            walls = [start, *map(wall_read, _dates(part))]
            if rule := part.text("RRULE"):
                walls += _yearly(rule, start, year)
        except (ValueError, OverflowError, InvalidInput):
            raise UnknownZone("its time zone is described in a way that we do not read") from None
        found += [(wall, offset) for wall in walls if wall.year <= year]
    if not found:
        raise UnknownZone("its time zone is described for later years only")
    return sorted(found)


def _yearly(text: str, start: datetime, year: int) -> list[datetime]:
    rule = recurring(text)
    if len(text) > RULE or isinstance(rule, HijriYearly) or rule.freq != "YEARLY":
        raise ValueError(text)
    if rule.count is not None:
        raise ValueError(text)
    since = max(start.date(), date(year - 1, 1, 1))
    last = min(rule.until or date.max, date(year, 12, 31))
    days = replace(rule, until=last).days(start.date(), since=since)
    return [datetime.combine(day, start.time()) for day in days]


def _dates(part: Component) -> list[str]:
    return [text for each in part.all("RDATE") for text in each.value.split(",")][:1000]


def _offset(text: str) -> timedelta:
    """Such as +0100 or -033000."""
    sign, digits = text[:1], text[1:]
    if sign not in ("+", "-") or len(digits) not in (4, 6) or not digits.isascii():
        raise ValueError(text)
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:] or 0)
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if offset >= timedelta(days=1):
        raise ValueError(text)
    return -offset if sign == "-" else offset
