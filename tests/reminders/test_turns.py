"""When digests come."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.digests.turns import MORNING, Reader, Turn, is_timely, is_week, next_turn
from reminders.person import Digests, FastingPolicy, Quiet, Ramadan
from reminders.times import resolve, wall_of, zone_names
from reminders.types import Role
from tests.support.clock import START
from tests.support.factories_reminders import AMINA, person

MONDAY = date(2027, 6, 7)
NOON = time(12, 15)


def reader(zone="Africa/Algiers", *roles, locale="fr-DZ", **profile):
    who = replace(person(AMINA, zone, locale), **profile)
    return Reader(AMINA, who, "UTC", frozenset(roles or (Role.OWNER,)))


def at(day, clock, zone="Africa/Algiers"):
    return resolve(datetime.combine(day, clock), zone)


def test_a_digest_comes_each_morning_within_a_quarter_of_an_hour():
    found = next_turn(reader(), after=at(MONDAY, time(3)), told_on=None)

    assert found is not None
    assert found.on == MONDAY
    assert timedelta(0) <= found.due_at - at(MONDAY, MORNING) < timedelta(minutes=15)


def test_after_it_was_told_the_next_is_tomorrows():
    found = next_turn(reader(), after=at(MONDAY, time(3)), told_on=MONDAY)

    assert found is not None
    assert found.on == MONDAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("who", "weekday"),
    [
        (reader(), "Saturday"),
        (reader("Africa/Algiers", Role.VENDOR), "Sunday"),
        (reader("Africa/Algiers", Role.VENDOR, Role.OWNER), "Saturday"),
        (reader("Europe/Paris", locale="fr-FR"), "Saturday"),
        (reader("Europe/Paris", Role.VENDOR, locale="fr-FR"), "Monday"),
        (reader("Asia/Tehran", locale="fa-IR"), "Friday"),
        (reader("Asia/Tehran", Role.VENDOR, locale="fa-IR"), "Saturday"),
    ],
)
def test_the_week_is_told_on_the_weekend_and_to_vendors_when_they_begin_to_work(who, weekday):
    days = [MONDAY + timedelta(days=each) for each in range(7, 14)]

    assert [f"{day:%A}" for day in days if is_week(who, day)] == [weekday]


def test_who_wants_only_the_week_is_told_only_then():
    found = next_turn(reader(digest=Digests.WEEKLY), after=at(MONDAY, time(3)), told_on=None)

    assert found is not None
    assert f"{found.on:%A}" == "Saturday"
    assert next_turn(reader(digest=Digests.OFF), after=at(MONDAY, time(3)), told_on=None) is None


def test_who_wanted_only_the_week_before_todays_was_told_is_not_told_todays():
    now = at(MONDAY, time(9))
    turn = Turn(at(MONDAY, MORNING), MONDAY)

    assert is_timely(reader(), turn, now=now)
    assert not is_timely(reader(digest=Digests.WEEKLY), turn, now=now)


def test_in_ramadan_mornings_begin_later_and_for_two_days_after_it_nobody_is_told():
    ramadan = Ramadan(1448, date(2027, 2, 8), date(2027, 3, 8))
    fasting = replace(reader(fasting=FastingPolicy.ON), ramadans=[ramadan])

    first = next_turn(fasting, after=at(date(2027, 2, 10), time(3)), told_on=None)
    after = next_turn(fasting, after=at(date(2027, 3, 8), time(13)), told_on=None)

    assert first is not None
    assert after is not None
    assert wall_of(first.due_at, "Africa/Algiers").hour == 11
    assert after.on == date(2027, 3, 11)


@pytest.mark.parametrize(
    ("now", "timely"),
    [
        (at(MONDAY, time(8, 40)), True),
        (at(MONDAY, time(11, 59)), True),
        (at(MONDAY, time(12, 30)), False),
        (at(MONDAY, time(8, 20)), False),
        (at(MONDAY + timedelta(days=1), time(8, 40)), False),
    ],
)
def test_a_digest_is_told_on_its_own_morning_or_not_at_all(now, timely):
    turn = Turn(at(MONDAY, time(8, 35)), MONDAY)

    assert is_timely(reader(), turn, now=now) is timely


@given(
    st.sampled_from(sorted(zone_names())),
    st.integers(0, 7 * 365 * 24 * 60).map(lambda each: START + timedelta(minutes=each)),
    st.times(max_value=time(11)).map(lambda each: each.replace(second=0, microsecond=0)),
    st.sampled_from([None, Quiet(time(22), time(9)), Quiet(time(0), time(0))]),
    st.sampled_from([Digests.DAILY, Digests.WEEKLY]),
)
def test_every_digest_is_in_a_morning_that_is_not_quiet_and_days_come_in_order(
    zone, instant, clock, quiet, choice
):
    who = reader(zone, digest_at=clock, quiet=quiet, digest=choice)
    told_on = None

    for _ in range(3):
        found = next_turn(who, after=instant, told_on=told_on)

        assert found is not None
        assert found.due_at > instant
        assert told_on is None or found.on > told_on
        wall = wall_of(found.due_at, zone)
        assert not who.hush.reason(wall)
        # A clock that jumps over the time may make it an hour later.
        assert clock <= wall.time() or wall.date() > found.on
        assert is_timely(who, found, now=found.due_at) or wall.date() > found.on
        instant, told_on = found.due_at, found.on


def test_a_vendors_week_begins_later_when_its_first_day_is_a_holiday():
    vendor = reader("Africa/Algiers", Role.VENDOR)
    independence = date(2026, 7, 5)

    found = next_turn(vendor, after=at(independence - timedelta(days=2), time(12)), told_on=None)

    assert f"{independence:%A}" == "Sunday"
    assert found is not None
    assert found.on == independence + timedelta(days=1)
    assert is_week(vendor, found.on)
    assert found.due_at >= at(found.on, time(9))
