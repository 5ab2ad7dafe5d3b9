"""Tasks that come again: dateutil as judge, what is refused, and the ends of months and rules."""

from datetime import date, datetime, time, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from reminders.recurrence import checked_recurrence, recurring


def days(rule, count, start):
    return list(islice(recurring(rule).days(start), count))


def test_a_day_that_a_month_lacks_is_left_out():
    assert days("FREQ=YEARLY", 2, date(2024, 2, 29)) == [date(2024, 2, 29), date(2028, 2, 29)]
    assert days("FREQ=MONTHLY;BYMONTHDAY=-1", 2, date(2028, 2, 1))[0] == date(2028, 2, 29)


def test_an_end_in_utc_is_the_day_that_the_clocks_show_then():
    at_night = "FREQ=DAILY;UNTIL=20270301T233000Z"

    assert recurring(at_night, zone="Africa/Algiers").until == date(2027, 3, 2)
    assert recurring(at_night, zone="UTC").until == date(2027, 3, 1)


weekdays = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])


@st.composite
def rules(draw):
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 5))}"]
    numbered = freq in ("MONTHLY", "YEARLY") and draw(st.booleans())
    by_days = draw(st.lists(weekdays, max_size=3, unique=True))
    if numbered:
        by_days = [f"{draw(st.sampled_from([1, 2, 4, -1, -2]))}{day}" for day in by_days]
    by_month = draw(st.lists(st.integers(1, 12), max_size=3, unique=True))
    by_month_day = draw(st.lists(st.integers(-31, 31).filter(bool), max_size=3, unique=True))
    lists = {"BYDAY": by_days, "BYMONTH": by_month}
    if freq != "WEEKLY":
        lists["BYMONTHDAY"] = by_month_day
    parts += [f"{name}={','.join(map(str, each))}" for name, each in lists.items() if each]
    if len(parts) > 2 and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(st.sampled_from([1, 2, -1]))}")
    parts.append(f"WKST={draw(weekdays)}")
    return ";".join(parts)


@settings(max_examples=60)
@given(rules(), st.dates(date(2000, 1, 1), date(2080, 1, 1)))
def test_dateutil_finds_the_same_days(rule, start):
    # In the first week the judge numbers only the days from the start on; the standard numbers
    # those of the whole interval.
    assume("WEEKLY" not in rule or "BYSETPOS" not in rule)
    found = list(islice(recurring(rule).days(start), 12))
    # The judge looks for what hardly ever comes true as far as the year 9999.
    assume(len(found) == 12 and found[-1] < start + timedelta(days=20 * 366))
    judge = rrulestr(rule, dtstart=datetime.combine(start, time(9)))

    expected = [at.date() for at in islice(judge, 12)]

    assert found == expected


@given(rules(), st.dates(date(2000, 1, 1), date(2080, 1, 1)), st.integers(0, 3000))
def test_beginning_later_leaves_out_only_what_came_before(rule, start, later):
    since = start + timedelta(days=later)
    read_rule = recurring(rule)

    late = list(islice(read_rule.days(start, since=since), 5))
    whole = (day for day in read_rule.days(start) if day >= since)

    assert late == list(islice(whole, 5))


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ=HOURLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=401",
        "FREQ=DAILY;COUNT=1000000000",
        "FREQ=DAILY;COUNT=3;UNTIL=20271231",
        "FREQ=DAILY;UNTIL=20991231",
        "FREQ=DAILY;UNTIL=20200101",
        "FREQ=DAILY;UNTIL=20271331",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=DAILY;BYDAY=1MO",
        "FREQ=WEEKLY;BYMONTHDAY=3",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=٣",
        "FREQ=DAILY;BYSETPOS=1",
        "FREQ=DAILY;FREQ=WEEKLY",
        "FREQ=DAILY;WKST=XX",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO;BYMONTH=1;BYMONTHDAY=31;BYSETPOS=2",
        "FREQ=YEARLY;" + "BYMONTH=1" * 100,
    ],
)
def test_what_we_do_not_keep_is_refused(rule):
    with pytest.raises(InvalidInput):
        checked_recurrence(rule, date(2027, 3, 2), zone=None)
