"""What is due, and how days are counted from an event."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.due import (
    compressed,
    day_over,
    day_seen,
    due_of,
    earlier,
    instant_of,
    moved,
    nominal,
)
from reminders.types import AtWall, Due, FromEvent, Offset, OnDay
from tests.support.factories_reminders import event

days = st.dates(date(2002, 1, 1), date(2099, 1, 1))
offsets = st.builds(
    Offset,
    months=st.integers(-24, 24),
    weeks=st.integers(-60, 60),
    days=st.integers(-400, 400),
)


@pytest.mark.parametrize(
    ("day", "offset", "result"),
    [
        (date(2027, 3, 31), Offset(months=-2), date(2027, 1, 31)),
        (date(2027, 3, 31), Offset(months=-1), date(2027, 2, 28)),
        (date(2028, 2, 29), Offset(months=-12), date(2027, 2, 28)),
        (date(2028, 2, 29), Offset(months=12), date(2029, 2, 28)),
        (date(2028, 3, 31), Offset(months=-1), date(2028, 2, 29)),
        (date(2027, 1, 15), Offset(months=-1), date(2026, 12, 15)),
        (date(2027, 12, 31), Offset(months=2, weeks=1, days=1), date(2028, 3, 8)),
    ],
)
def test_months_come_first_and_stay_within_the_month(day, offset, result):
    assert moved(day, offset) == result


def test_steps_are_not_the_same_as_one_offset():
    """Which is why an offset is applied once, from the anchor."""
    step = Offset(months=-1)

    assert moved(moved(date(2027, 3, 31), step), step) == date(2027, 1, 28)


@given(days, days, offsets)
def test_moving_the_event_later_never_makes_anything_due_earlier(one, other, offset):
    first, second = sorted([one, other])

    assert moved(first, offset) <= moved(second, offset)


@given(days, st.integers(0, 24), st.integers(0, 60), st.integers(0, 400))
def test_a_lead_is_never_later_than_what_it_leads_to(day, months, weeks, number):
    assert earlier(day, Offset(months, weeks, number)) <= day


@given(st.integers(0, 400), st.integers(0, 800))
def test_a_plan_that_is_begun_late_has_nothing_due_before_it_is_begun(left, before):
    day = date(2027, 7, 23)
    spec = FromEvent(Offset(days=-before), span=365, start=day - timedelta(days=left))

    if left < 365:
        assert spec.start <= compressed(spec, day) <= day


def test_a_due_means_what_its_spec_and_the_event_say():
    wedding = event(day=date(2027, 7, 23), zone="Africa/Algiers")

    assert due_of(None, wedding) is None
    assert due_of(OnDay(date(2027, 1, 1)), wedding) == Due(date(2027, 1, 1))
    assert due_of(AtWall(date(2027, 1, 1), time(10), "Europe/Paris"), wedding) == Due(
        date(2027, 1, 1), time(10), "Europe/Paris"
    )
    assert due_of(FromEvent(Offset(days=-7)), wedding) == Due(date(2027, 7, 16))
    assert due_of(FromEvent(Offset(days=-7), time(18)), wedding) == Due(
        date(2027, 7, 16), time(18), "Africa/Algiers"
    )


def test_nothing_relative_is_due_while_the_event_has_no_day():
    assert due_of(FromEvent(Offset(days=-7)), event(day=None)) is None


def test_an_all_day_due_is_its_date_on_every_wall():
    due = Due(date(2027, 7, 23))

    for zone in ("Africa/Algiers", "Pacific/Auckland", "America/Vancouver"):
        assert day_seen(due, zone) == date(2027, 7, 23)
    assert instant_of(due, "Asia/Kathmandu") == datetime(2027, 7, 22, 18, 15, tzinfo=UTC)
    assert day_over(due, "America/Vancouver") == datetime(2027, 7, 24, 7, tzinfo=UTC)


def test_an_appointment_is_on_another_day_for_who_lives_further_west():
    due = Due(date(2027, 6, 12), time(0, 30), "Europe/Paris")

    assert instant_of(due, "Africa/Algiers") == datetime(2027, 6, 11, 22, 30, tzinfo=UTC)
    assert day_seen(due, "Africa/Algiers") == date(2027, 6, 11)
    assert day_seen(due, "Europe/Paris") == date(2027, 6, 12)


def test_a_due_is_named_by_what_was_meant():
    assert nominal(Due(date(2027, 7, 23))) == "2027-07-23T-@~"
    assert (
        nominal(Due(date(2027, 6, 12), time(0, 30), "Europe/Paris"))
        == "2027-06-12T00:30:00@Europe/Paris"
    )
