"""What comes again each year in the Hijri calendar: an anniversary, a day of mourning. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from hijridate import Hijri

from reminders.hijri import HijriDay, hijri_of

LAST_YEAR = 1500
"""The calendar is known up to its end."""


class Skip(StrEnum):
    """What becomes of a thirtieth in a year in which the month has none (RFC 7529)."""

    OMIT = "OMIT"
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"


@dataclass(frozen=True, slots=True)
class HijriYearly:
    """One day of each year, or of each so many, in the calendar of Umm al-Qura; the day that it
    starts on says which one, where the rule does not."""

    interval: int = 1
    count: int | None = None
    until: date | None = None
    month: int | None = None
    day: int | None = None
    skip: Skip = Skip.OMIT

    def days(self, start: date, *, since: date | None = None) -> Iterator[date]:
        """The occurrences from `start` on, or of those the ones from `since` on, in order.

        Ends with the rule, or with the years that the calendar is known in.
        """
        first = hijri_of(start)
        if first is None:
            return
        seen = 0
        for year in range(first.year, LAST_YEAR + 1, self.interval):
            found = self._day_in(year, first)
            if found is None or found < start:
                continue
            seen += 1
            if self.count is not None and seen > self.count:
                return
            if self.until is not None and found > self.until:
                return
            if since is None or found >= since:
                yield found

    def _day_in(self, year: int, first: HijriDay) -> date | None:
        """The day of one year; None where it has none."""
        begins = Hijri(year, self.month or first.month, 1)
        day = self.day or first.day
        on = date(*begins.to_gregorian().datetuple()) + timedelta(days=day - 1)
        if day <= begins.month_length() or self.skip is Skip.FORWARD:
            return on
        return None if self.skip is Skip.OMIT else on - timedelta(days=1)
