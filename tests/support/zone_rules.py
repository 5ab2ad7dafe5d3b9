"""The clocks of every zone, read from the zone files by ourselves: a model without `zoneinfo`.

A file (RFC 8536) lists the changes of the clocks, and ends with a rule for all years to come
as POSIX writes it. Both together are stretches of time in which the clocks run evenly.
"""

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from itertools import pairwise
from operator import attrgetter

FIRST_YEAR, LAST_YEAR = 1970, 2100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(LAST_YEAR + 1, 12, 31, tzinfo=UTC)

_HEADER = struct.Struct(">4s1s15x6I")
_TYPE = struct.Struct(">ibB")
_OFFSET = r"[+-]?\d+(?::\d+){0,2}"
_NAME = r"(?:<[^>]+>|[A-Za-z]+)"
_RULE = re.compile(
    rf"{_NAME}(?P<standard>{_OFFSET})"
    rf"(?:{_NAME}(?P<summer>{_OFFSET})?,(?P<begins>[^,]+),(?P<ends>[^,]+))?"
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` up to `end` the clocks are `ahead` of UTC."""

    start: datetime
    end: datetime
    ahead: timedelta


_start = attrgetter("start")
_FAR = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the clocks of a zone show."""

    stretches: tuple[Stretch, ...]

    def at(self, instant: datetime) -> datetime:
        """The wall time at an instant."""
        found = self.stretches[bisect_right(self.stretches, instant, key=_start) - 1]
        return instant.replace(tzinfo=None) + found.ahead

    def shown(self, wall: datetime) -> list[datetime]:
        """The instants at which the clocks show `wall`: mostly one, perhaps none or two."""
        instants = ((each, wall.replace(tzinfo=UTC) - each.ahead) for each in self._around(wall))
        return [at for each, at in instants if each.start <= at < each.end]

    def skipping(self, wall: datetime) -> Stretch:
        """The stretch at whose end the clocks skip `wall`."""
        around = self._around(wall)
        return next(
            before
            for before, after in pairwise(around)
            if before.end + before.ahead <= wall.replace(tzinfo=UTC) < after.start + after.ahead
        )

    def instant(self, wall: datetime) -> datetime:
        """The instant that is meant by `wall` (RFC 5545, 3.3.5)."""
        if shown := self.shown(wall):
            return shown[0]
        return wall.replace(tzinfo=UTC) - self.skipping(wall).ahead

    def first_at_least(self, wall: datetime) -> datetime:
        """The first instant at which the clocks show `wall`, or have skipped it."""
        shown = self.shown(wall)
        return shown[0] if shown else self.skipping(wall).end

    def _around(self, wall: datetime) -> Sequence[Stretch]:
        """Clocks are never more than a day from UTC."""
        near = wall.replace(tzinfo=UTC)
        first = bisect_right(self.stretches, near - _FAR, key=_start) - 1
        return self.stretches[first : bisect_right(self.stretches, near + _FAR, key=_start)]

    def changes(self) -> Iterator[tuple[Stretch, Stretch]]:
        """The stretches before and after each change of the clocks in the years we look at."""
        for before, after in pairwise(self.stretches):
            if FIRST_YEAR <= after.start.year <= LAST_YEAR and before.ahead != after.ahead:
                yield before, after


@cache
def clocks_of(zone: str) -> Clocks:
    """The clocks of a zone of the `tzdata` package."""
    data = resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()
    # The first half is for programs of the last century.
    _, first = _block(data, 0, 4)
    changes, end = _block(data, first, 8)
    rule = data[end:].strip(b"\n").decode()
    last = changes[-1][0]
    changes += [each for each in _by_rule(rule, from_year=max(1900, last.year)) if each[0] > last]
    ends = [at for at, _ in changes[1:]] + [END]
    return Clocks(
        tuple(Stretch(at, until, ahead) for (at, ahead), until in zip(changes, ends, strict=True))
    )


def _block(data: bytes, at: int, wide: int) -> tuple[list[tuple[datetime, timedelta]], int]:
    """The changes in one half of a file, the first of them at the beginning of time."""
    magic, _, isut, isstd, leap, times, types, chars = _HEADER.unpack_from(data, at)
    assert magic == b"TZif"
    at += _HEADER.size
    when = struct.unpack_from(f">{times}{'q' if wide == 8 else 'i'}", data, at)
    at += times * wide
    which = data[at : at + times]
    at += times
    kinds = [_TYPE.unpack_from(data, at + number * _TYPE.size) for number in range(types)]
    at += types * _TYPE.size + chars + leap * (wide + 4) + isstd + isut
    beginning = datetime(1, 1, 2, tzinfo=UTC)
    found = [(beginning, timedelta(seconds=kinds[0][0]))] + [
        (max(beginning, EPOCH + timedelta(seconds=second)), timedelta(seconds=kinds[kind][0]))
        for second, kind in zip(when, which, strict=True)
    ]
    return found, at


def _by_rule(rule: str, *, from_year: int) -> Iterator[tuple[datetime, timedelta]]:
    """The changes that a rule such as CET-1CEST,M3.5.0,M10.5.0/3 makes, in their order."""
    read = _RULE.fullmatch(rule)
    assert read is not None, rule
    standard = -_duration(read["standard"])
    if read["begins"] is None:
        return
    summer = -_duration(read["summer"]) if read["summer"] else standard + timedelta(hours=1)
    for year in range(from_year, LAST_YEAR + 2):
        # Each is at a time on the clocks that it ends.
        yield from sorted(
            [
                (_moment(year, read["begins"]) - standard, summer),
                (_moment(year, read["ends"]) - summer, standard),
            ]
        )


def _duration(text: str) -> timedelta:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, seconds = [*map(int, text.lstrip("+-").split(":")), 0, 0][:3]
    return sign * timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _moment(year: int, text: str) -> datetime:
    """The wall time of a change in a year, as if it were in UTC."""
    day, _, at = text.partition("/")
    if day.startswith("M"):
        month, week, weekday = map(int, day[1:].split("."))
        found = date(year, month, 1)
        found += timedelta(days=(weekday - found.isoweekday()) % 7 + 7 * (week - 1))
        while found.month != month:
            found -= timedelta(days=7)
    elif day.startswith("J"):
        # The 29th of February has no number.
        found = date(2001, 1, 1) + timedelta(days=int(day[1:]) - 1)
        found = found.replace(year=year)
    else:
        found = date(year, 1, 1) + timedelta(days=int(day))
    return datetime(found.year, found.month, found.day, tzinfo=UTC) + _duration(at or "2")
