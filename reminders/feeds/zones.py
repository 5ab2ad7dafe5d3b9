"""The rules of time zones as calendars carry them (RFC 5545, 3.6.5). Pure."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vDatetime

from reminders.times import change_between, offset_of, wall_of, zone_named

_DAY = timedelta(days=1)


class Onset(NamedTuple):
    """When a zone's clocks change, on the wall that they showed until then."""

    wall: datetime
    before: timedelta
    after: timedelta
    name: str
    summer: bool


def timezone_of(zone: str, first: date, last: date) -> Timezone:
    """What the clocks of a zone show between two days."""
    start = datetime(first.year - 1, 1, 1, tzinfo=UTC)
    onsets = [_onset(start, zone, before=offset_of(start, zone))]
    for year in range(first.year - 1, last.year + 1):
        onsets += _onsets(zone, year)
    alike: dict[tuple[object, ...], list[datetime]] = defaultdict(list)
    for each in onsets:
        alike[each[1:]].append(each.wall)
    made = Timezone()
    made.add("TZID", zone)
    for (before, after, name, summer), walls in alike.items():
        part = TimezoneDaylight() if summer else TimezoneStandard()
        part.add("DTSTART", walls[0])
        part.add("TZOFFSETFROM", before)
        part.add("TZOFFSETTO", after)
        part.add("TZNAME", name)
        for wall in walls[1:]:
            part.add("RDATE", vDatetime(wall))
        made.add_component(part)
    return made


@lru_cache(maxsize=4096)
def _onsets(zone: str, year: int) -> tuple[Onset, ...]:
    return tuple(
        _changes(zone, datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC))
    )


def _changes(zone: str, at: datetime, end: datetime) -> Iterator[Onset]:
    while at < end:
        following = min(at + _DAY, end)
        before = offset_of(at, zone)
        if offset_of(following, zone) != before:
            yield _onset(change_between(at, following, zone), zone, before=before)
        at = following


def _onset(instant: datetime, zone: str, *, before: timedelta) -> Onset:
    there = instant.astimezone(zone_named(zone))
    wall = wall_of(instant, "UTC") + before
    after = offset_of(instant, zone)
    return Onset(wall, before, after, there.tzname() or zone, after > before)
