"""Tasks that come again: the days of an RFC 5545 rule, on nobody's clock. Pure.

A rule is expanded on days; which instant a day's time is, its zone says afterwards, so that
no change of the clocks can repeat or swallow an occurrence. Every loop is bounded by its
horizon: a rule that never comes true costs what one that does.
"""

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from kernel.errors import InvalidInput
from reminders.hijri_years import HijriYearly, Skip
from reminders.times import LAST_YEAR, wall_of

TEXT = 512
"""Characters of a rule."""

HIJRI = "ISLAMIC-UMALQURA"
"""The calendar beside our own that rules may be of, as CLDR calls it."""

COUNT = 1000
INTERVAL = 400
UNTIL = timedelta(days=3653)
FIRST_WITHIN = timedelta(days=8 * 366)
"""A rule whose first occurrence is further away is a mistake."""

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z)?)?")
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


@dataclass(frozen=True, slots=True)
class Recurring:
    """A rule that was read: on which days of each period something is to be done."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: date | None = None
    by_day: frozenset[tuple[int, int]] = frozenset()
    """(which one of the period's, or 0 for all; weekday)."""
    by_month_day: frozenset[int] = frozenset()
    by_month: frozenset[int] = frozenset()
    by_set_pos: frozenset[int] = frozenset()
    week_start: int = 0

    def days(self, start: date, *, since: date | None = None) -> Iterator[date]:
        """The occurrences from `start` on, or of those the ones from `since` on, in order.

        Ends with the rule, or at the last year that days are accepted in.
        """
        end = min(self.until or date.max, date(LAST_YEAR, 1, 1))
        # Counting needs the beginning; all others may begin where they are needed.
        first = 0 if self.count is not None or since is None else self._period(start, since)
        seen = 0
        number = first
        while (days := self._days_in(number, start)) is not None:
            for day in days:
                if day < start:
                    continue
                seen += 1
                if day > end or (self.count is not None and seen > self.count):
                    return
                if since is None or day >= since:
                    yield day
            number += 1

    def _days_in(self, number: int, start: date) -> list[date] | None:
        """The days of one period, in order; None beyond the last year."""
        bounds = self._bounds(number * self.interval, start)
        if bounds is None or bounds[0].year >= LAST_YEAR:
            return None
        first, length = bounds
        days = [
            day
            for offset in range(length)
            if self._fits(day := first + timedelta(days=offset), start)
        ]
        if self.by_set_pos:
            chosen = {days[p - 1 if p > 0 else p] for p in self.by_set_pos if abs(p) <= len(days)}
            return sorted(chosen)
        return days

    def _bounds(self, periods: int, start: date) -> tuple[date, int] | None:
        try:
            match self.freq:
                case "DAILY":
                    return start + timedelta(days=periods), 1
                case "WEEKLY":
                    return self._week(start) + timedelta(weeks=periods), 7
                case "MONTHLY":
                    year, month = divmod(start.year * 12 + start.month - 1 + periods, 12)
                    return date(year, month + 1, 1), calendar.monthrange(year, month + 1)[1]
                case _:
                    year = start.year + periods
                    return date(year, 1, 1), 366 if calendar.isleap(year) else 365
        except (OverflowError, ValueError):
            return None

    def _period(self, start: date, since: date) -> int:
        """The last period that begins before `since`."""
        if since <= start:
            return 0
        match self.freq:
            case "DAILY":
                apart = (since - start).days
            case "WEEKLY":
                apart = (since - self._week(start)).days // 7
            case "MONTHLY":
                apart = (since.year - start.year) * 12 + since.month - start.month
            case _:
                apart = since.year - start.year
        return apart // self.interval

    def _week(self, day: date) -> date:
        return day - timedelta(days=(day.weekday() - self.week_start) % 7)

    def _fits(self, day: date, start: date) -> bool:
        by_month, by_month_day, by_day = self.by_month, self.by_month_day, self.by_day
        if not by_month_day and not by_day:
            # What the rule leaves open is as on the first day.
            if self.freq == "WEEKLY" and day.weekday() != start.weekday():
                return False
            if self.freq in ("MONTHLY", "YEARLY") and day.day != start.day:
                return False
            if self.freq == "YEARLY" and not by_month and day.month != start.month:
                return False
        if by_month and day.month not in by_month:
            return False
        if by_month_day:
            length = calendar.monthrange(day.year, day.month)[1]
            if day.day not in by_month_day and day.day - length - 1 not in by_month_day:
                return False
        return not by_day or self._is_named(day)

    def _is_named(self, day: date) -> bool:
        """Whether its weekday is, as such or as this one of the month or year."""
        if self.freq == "YEARLY" and not self.by_month:
            place = day.timetuple().tm_yday
            length = 366 if calendar.isleap(day.year) else 365
        else:
            place, length = day.day, calendar.monthrange(day.year, day.month)[1]
        nths = (0, (place - 1) // 7 + 1, -((length - place) // 7 + 1))
        return any((nth, day.weekday()) in self.by_day for nth in nths)


def recurring(text: str, *, zone: str | None = None) -> Recurring | HijriYearly:
    """The rule that a text such as FREQ=WEEKLY;BYDAY=MO means. Refuses all that we do not keep.
    With RSCALE (RFC 7529) it is one of each year in the Hijri calendar.

    `until` in UTC is the day that the clocks of `zone` show then.
    """
    if len(text) > TEXT:
        raise _refused(f"must have at most {TEXT} characters")
    parts = dict(part.partition("=")[::2] for part in text.upper().strip().split(";"))
    if len(parts) != len(text.strip().split(";")):
        raise _refused("names something twice")
    if "RSCALE" in parts:
        return _hijri_yearly(parts, zone)
    known = {
        "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST",
    }  # fmt: skip
    if unknown := set(parts) - known:
        raise _refused(f"cannot have {min(unknown) or 'an empty part'}")
    freq = parts.get("FREQ", "")
    if freq not in _FREQUENCIES:
        raise _refused("must have a FREQ of DAILY, WEEKLY, MONTHLY or YEARLY")
    if "COUNT" in parts and "UNTIL" in parts:
        raise _refused("cannot have both COUNT and UNTIL")
    if freq == "WEEKLY" and "BYMONTHDAY" in parts:
        raise _refused("cannot have BYMONTHDAY with WEEKLY")
    by_day = _by_day(parts.get("BYDAY", ""))
    if freq in ("DAILY", "WEEKLY") and any(nth for nth, _ in by_day):
        raise _refused("can number days only within months and years")
    if "BYSETPOS" in parts and not {"BYDAY", "BYMONTHDAY", "BYMONTH"} & set(parts):
        raise _refused("needs another BY part for BYSETPOS")
    week_start = parts.get("WKST", "MO")
    if week_start not in _DAYS:
        raise _refused("must have a WKST such as SA")
    return Recurring(
        freq=freq,
        interval=_number(parts.get("INTERVAL", "1"), "INTERVAL", INTERVAL),
        count=_number(parts["COUNT"], "COUNT", COUNT) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"], zone) if "UNTIL" in parts else None,
        by_day=by_day,
        by_month_day=_numbers(parts.get("BYMONTHDAY", ""), "BYMONTHDAY", 31, signed=True),
        by_month=_numbers(parts.get("BYMONTH", ""), "BYMONTH", 12),
        by_set_pos=_numbers(parts.get("BYSETPOS", ""), "BYSETPOS", 366, signed=True),
        week_start=_DAYS.index(week_start),
    )


def _hijri_yearly(parts: Mapping[str, str], zone: str | None) -> HijriYearly:
    known = {
        "RSCALE", "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "SKIP",
    }  # fmt: skip
    if unknown := set(parts) - known:
        raise _refused(f"cannot have {min(unknown) or 'an empty part'} with RSCALE")
    if parts["RSCALE"] != HIJRI or parts.get("FREQ") != "YEARLY":
        raise _refused(f"can have RSCALE={HIJRI} alone, with FREQ=YEARLY")
    if "COUNT" in parts and "UNTIL" in parts:
        raise _refused("cannot have both COUNT and UNTIL")
    if ("BYMONTH" in parts) != ("BYMONTHDAY" in parts):
        raise _refused("must have both BYMONTH and BYMONTHDAY, or neither, with RSCALE")
    skip = parts.get("SKIP", "OMIT")
    if skip not in set(Skip):
        raise _refused("must have a SKIP of OMIT, BACKWARD or FORWARD")
    return HijriYearly(
        interval=_number(parts.get("INTERVAL", "1"), "INTERVAL", INTERVAL),
        count=_number(parts["COUNT"], "COUNT", COUNT) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"], zone) if "UNTIL" in parts else None,
        month=_number(parts["BYMONTH"], "BYMONTH", 12) if "BYMONTH" in parts else None,
        day=_number(parts["BYMONTHDAY"], "BYMONTHDAY", 30) if "BYMONTHDAY" in parts else None,
        skip=Skip(skip),
    )


def checked_recurrence(text: str, start: date, *, zone: str | None) -> Recurring | HijriYearly:
    """The rule, if it comes true soon enough after `start` and ends within ten years or never."""
    rule = recurring(text, zone=zone)
    if rule.until is not None and not start <= rule.until <= start + UNTIL:
        raise _refused("must end after it starts and within ten years, or never")
    # With an end, or looking for what never comes would go on to the last year there is.
    last = min(start + FIRST_WITHIN, rule.until or date.max)
    if next(replace(rule, until=last).days(start), None) is None:
        raise _refused("must come true within eight years")
    return rule


def _by_day(text: str) -> frozenset[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for part in filter(None, text.split(",")):
        match = _BYDAY.fullmatch(part)
        nth = int(match[1] or 0) if match else 0
        if match is None or abs(nth) > 53 or (match[1] and nth == 0):
            raise _refused("must have a BYDAY such as MO,-1FR")
        found.add((nth, _DAYS.index(match[2])))
    return frozenset(found)


def _until(text: str, zone: str | None) -> date:
    match = _UNTIL.fullmatch(text)
    if match is None:
        raise _refused("must have an UNTIL such as 20271231 or 20271231T220000Z")
    try:
        if match[3]:
            at = datetime.strptime(match[0], "%Y%m%dT%H%M%S%z")
            return wall_of(at, zone).date() if zone else at.date()
        return date.fromisoformat(match[1])
    except ValueError:
        raise _refused("must have an UNTIL that is a day") from None


def _number(text: str, name: str, most: int) -> int:
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not 1 <= int(text) <= most:
        raise _refused(f"must have {name} between 1 and {most}")
    return int(text)


def _numbers(text: str, name: str, most: int, *, signed: bool = False) -> frozenset[int]:
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        fits = re.fullmatch(r"[+-]?\d{1,3}" if signed else r"\d{1,3}", part, re.ASCII)
        if not fits or not 1 <= abs(int(part)) <= most:
            raise _refused(f"must have {name} between 1 and {most}")
        found.add(int(part))
    return frozenset(found)


def _refused(rule: str) -> InvalidInput:
    return InvalidInput("details.recurrence.rule", rule)
