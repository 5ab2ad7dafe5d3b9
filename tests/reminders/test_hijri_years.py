"""What comes again each year in the Hijri calendar, and what is moved by hand in one of them."""

from datetime import date
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from reminders.hijri import hijri_of
from reminders.recurrence import checked_recurrence, recurring
from reminders.types import OnDay, Recurrence, TaskDetails
from tests.support.factories_reminders import AMINA, user
from tests.support.weddings import wedding

YEARLY = "RSCALE=ISLAMIC-UMALQURA;FREQ=YEARLY"

MUHARRAM_1 = (date(2026, 6, 16), date(2027, 6, 6), date(2028, 5, 25), date(2029, 5, 14))
"""The first days of the years 1448 to 1451."""


def first(rule, start, count=4):
    return tuple(islice(recurring(rule).days(start), count))


def test_an_anniversary_is_on_its_day_of_each_hijri_year():
    assert first(YEARLY, MUHARRAM_1[0]) == MUHARRAM_1
    assert first(f"{YEARLY};BYMONTH=1;BYMONTHDAY=1", date(2026, 1, 1)) == MUHARRAM_1
    assert first(f"{YEARLY};INTERVAL=2", MUHARRAM_1[0], 2) == MUHARRAM_1[::2]
    assert first(f"{YEARLY};COUNT=2", MUHARRAM_1[0]) == MUHARRAM_1[:2]
    assert first(f"{YEARLY};UNTIL=20280524", MUHARRAM_1[0]) == MUHARRAM_1[:2]


@pytest.mark.parametrize(
    ("skip", "months"),
    [("OMIT", {(9, 30)}), ("BACKWARD", {(9, 30), (9, 29)}), ("FORWARD", {(9, 30), (10, 1)})],
)
def test_a_thirtieth_that_a_month_lacks_goes_where_the_rule_says(skip, months):
    days = first(f"{YEARLY};BYMONTH=9;BYMONTHDAY=30;SKIP={skip}", date(2026, 1, 1), 12)

    assert {hijri_of(day)[1:] for day in days} == months


@given(
    st.dates(date(2000, 1, 1), date(2070, 1, 1)),
    st.sampled_from(["OMIT", "BACKWARD", "FORWARD"]),
    st.integers(0, 4000),
)
def test_looking_from_a_day_on_finds_what_looking_from_the_beginning_does(start, skip, later):
    rule = recurring(f"{YEARLY};SKIP={skip}")
    since = date.fromordinal(start.toordinal() + later)
    days = list(rule.days(start))

    assert list(rule.days(start, since=since)) == [day for day in days if day >= since]
    assert days[0] == start
    assert all(a < b for a, b in pairwise(days))


@pytest.mark.parametrize(
    "rule",
    [
        "RSCALE=CHINESE;FREQ=YEARLY",
        "RSCALE=ISLAMIC-UMALQURA;FREQ=MONTHLY",
        "RSCALE=ISLAMIC-UMALQURA",
        f"{YEARLY};BYDAY=FR",
        f"{YEARLY};BYMONTH=9",
        f"{YEARLY};BYMONTHDAY=1",
        f"{YEARLY};BYMONTH=13;BYMONTHDAY=1",
        f"{YEARLY};BYMONTH=1;BYMONTHDAY=31",
        f"{YEARLY};SKIP=SIDEWAYS",
        f"{YEARLY};COUNT=2;UNTIL=20280101",
        f"{YEARLY};INTERVAL=0",
        "FREQ=YEARLY;SKIP=FORWARD",
    ],
)
def test_other_rules_of_other_calendars_are_refused(rule):
    with pytest.raises(InvalidInput, match=r"^details\.recurrence\.rule: "):
        checked_recurrence(rule, date(2026, 6, 16), zone=None)


def test_where_the_calendar_ends_a_series_ends_and_none_begins():
    assert first(YEARLY, date(2070, 1, 1), 99)[-1].year == 2077
    with pytest.raises(InvalidInput, match="within eight years"):
        checked_recurrence(YEARLY, date(2080, 1, 1), zone=None)


@pytest.mark.parametrize("days", [-1, 1])
async def test_what_is_moved_in_one_year_is_back_on_its_day_in_the_next(anywhere, days):
    room = anywhere
    event_id = await wedding(room)
    yearly = TaskDetails(recurs=Recurrence(YEARLY, date.min))
    task = await room.tasks.create(
        user(AMINA), event_id, title="Mawlid", due=OnDay(MUHARRAM_1[0]), details=yearly
    )
    announced = OnDay(date.fromordinal(MUHARRAM_1[0].toordinal() + days))
    here = user(AMINA), event_id, task.id

    moved = await room.tasks.update(*here, title="Mawlid", due=announced, assignee_id=None)
    room.clock.move(days=110)
    done = await room.tasks.complete(*here)
    back = await room.tasks.reopen(*here)
    again = await room.tasks.complete(*here)

    assert moved.due == back.due == announced
    assert done.due == again.due == OnDay(MUHARRAM_1[1])
