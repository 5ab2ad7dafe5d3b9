"""Tasks that come again: the examples of RFC 5545, and dateutil as judge of everything else."""

from datetime import date, datetime, time, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from reminders.recurrence import checked_recurrence, recurring

START = date(1997, 9, 2)
"""A Tuesday, from which the RFC's examples (3.8.5.3) begin."""


def days(rule, count, start=START, zone="America/New_York"):
    return list(islice(recurring(rule, zone=zone).days(start), count))


def read(text):
    """Days as the RFC writes them: 1997 9: 2 3 4; 10: 1."""
    found = []
    for part in text.split(";"):
        head, _, numbers = part.partition(":")
        year, month = head.split()
        found += [date(int(year), int(month), int(number)) for number in numbers.split()]
    return found


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=10", "1997 9: 2 3 4 5 6 7 8 9 10 11"),
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", "1997 9: 2 12 22; 1997 10: 2 12"),
        ("FREQ=WEEKLY;COUNT=10", "1997 9: 2 9 16 23 30; 1997 10: 7 14 21 28; 1997 11: 4"),
        (
            "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
            "1997 9: 2 4 9 11 16 18 23 25 30; 1997 10: 2",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
            "1997 9: 2 4 16 18 30; 1997 10: 2 14 16",
        ),
        (
            "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
            "1997 9: 22; 1997 10: 20; 1997 11: 17; 1997 12: 22; 1998 1: 19; 1998 2: 16",
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
            "1997 9: 2 15; 1997 10: 2 15; 1997 11: 2 15; 1997 12: 2 15; 1998 1: 2 15",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-3",
            "1997 9: 28; 1997 10: 29; 1997 11: 28; 1997 12: 29; 1998 1: 29; 1998 2: 26",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
            "1997 9: 10 11 12 13 14 15; 1999 3: 10 11 12 13",
        ),
        ("FREQ=YEARLY;BYDAY=20MO", "1998 5: 18; 1999 5: 17; 2000 5: 15"),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "1998 2: 13; 1998 3: 13; 1998 11: 13; 1999 8: 13; 2000 10: 13",
        ),
        (
            "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
            "1997 9: 13; 1997 10: 11; 1997 11: 8; 1997 12: 13; 1998 1: 10; 1998 2: 7",
        ),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997 9: 4; 1997 10: 7; 1997 11: 6"),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            "1997 9: 29; 1997 10: 30; 1997 11: 27; 1997 12: 30; 1998 1: 29; 1998 2: 26",
        ),
    ],
)
def test_the_examples_of_the_standard(rule, expected):
    found = read(expected)

    assert days(rule, len(found)) == found


def test_elections_and_how_the_beginning_of_the_week_counts():
    elections = "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8"
    first = date(1996, 11, 5)
    assert days(elections, 3, first) == [first, date(2000, 11, 7), date(2004, 11, 2)]

    fortnight = "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST="
    august = date(1997, 8, 5)
    assert [day.day for day in days(f"{fortnight}MO", 4, august)] == [5, 10, 19, 24]
    assert [day.day for day in days(f"{fortnight}SU", 4, august)] == [5, 17, 19, 31]


def test_a_day_that_a_month_lacks_is_left_out():
    found = days("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", 5, date(2007, 1, 15))

    assert found == read("2007 1: 15 30; 2007 2: 15; 2007 3: 15 30")
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
