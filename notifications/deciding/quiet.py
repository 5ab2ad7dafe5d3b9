"""When quiet hours are over. Pure; computed on walls, so that no change of the clocks upsets it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from notifications.deciding.types import QuietHours, Ramadan, Window

WINDOWS = 50
"""So many windows in a row are followed; quiet hours that never end are given up there."""

DEFAULT_ZONE = "Africa/Algiers"
"""On whose wall it is when nobody says."""


def quiet_until(
    at: datetime, hours: QuietHours, *, device_zone: str, ramadans: Sequence[Ramadan]
) -> datetime | None:
    """The end of the quiet hours that `at` lies in; None when it is not quiet.

    Windows that touch are one: who is quiet from noon to six and from six to nine is told
    at nine.
    """
    zone = zone_named(hours.zone or device_zone or DEFAULT_ZONE)
    end = at
    for _ in range(WINDOWS):
        later = _end_around(end, hours, zone, ramadans)
        if later is None:
            return None if end == at else end
        end = later
    return end


def windows_on(day: date, hours: QuietHours, ramadans: Sequence[Ramadan]) -> Sequence[Window]:
    """The windows that end on a day."""
    if hours.ramadan is not None and any(
        each.starts_on <= day <= each.ends_on for each in ramadans
    ):
        return hours.ramadan
    if hours.weekend is not None and day.weekday() in hours.weekend_days:
        return hours.weekend
    return hours.windows


@cache
def zone_named(name: str) -> ZoneInfo:
    """The rules of a zone from the package tzdata, whatever the host knows."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _end_around(
    at: datetime, hours: QuietHours, zone: ZoneInfo, ramadans: Sequence[Ramadan]
) -> datetime | None:
    """The last end of the windows that `at` lies in."""
    ends = [
        end
        for start, end in _windows_near(at.astimezone(zone).date(), hours, zone, ramadans)
        if start <= at < end
    ]
    return max(ends, default=None)


def _windows_near(
    today: date, hours: QuietHours, zone: ZoneInfo, ramadans: Sequence[Ramadan]
) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of every window that can hold an instant of that day."""
    for day in (today, today + timedelta(days=1)):
        for window in windows_on(day, hours, ramadans):
            crosses = window.end <= window.start
            begins = day - timedelta(days=1) if crosses else day
            yield _instant(begins, window.start, zone), _instant(day, window.end, zone)


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    # fold=0: what the clocks show twice is the first, what they skip lands later (RFC 5545).
    return datetime.combine(day, at, zone).astimezone(UTC)
