"""From the moment a rule means to the moment it speaks."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.firing import FiringClass
from reminders.placing import POLICY, SPREAD, Nominal, jitter_of, place
from reminders.quiet import hush_of
from reminders.rules import plan
from reminders.times import resolve, wall_of
from reminders.types import AtWall, CalendarLead, Due, Inputs, Offset, OnDay
from tests.support.factories_reminders import AMINA, event, member, person, rule, task

ALGIERS = "Africa/Algiers"
FAR = datetime(2101, 1, 1, tzinfo=UTC)
DAY = Due(date(2027, 7, 24))
HERS = jitter_of(AMINA, SPREAD[FiringClass.POLICY_NEAR])


def placed(wall, due=DAY, kind=FiringClass.POLICY_NEAR, useful=timedelta(days=1)):
    """Where Amina's reminder goes, as her clocks show it."""
    walled = datetime.fromisoformat(wall)
    found = place(
        Nominal(resolve(walled, ALGIERS), ALGIERS, walled),
        due,
        kind,
        user_id=AMINA,
        hush=hush_of(person(AMINA), event_zone="UTC"),
        useful_until=resolve(walled, ALGIERS) + useful,
    )
    return f"{wall_of(found.at - found.jitter, ALGIERS):%m-%d %H:%M}", found


@pytest.mark.parametrize("kind", [FiringClass.EXACT_CALENDAR, FiringClass.EXACT_ELAPSED])
def test_a_time_that_somebody_typed_gives_way_to_nothing(kind):
    wall, found = placed("2027-07-23T03:15", kind=kind)

    assert (wall, found.jitter, found.moved_by) == ("07-23 03:15", timedelta(0), "")


def test_policy_waits_for_the_end_of_the_quiet_and_says_why():
    wall, found = placed("2027-07-23T07:00")

    assert (wall, found.moved_by) == ("07-23 08:30", "quiet hours")


def test_what_cannot_wait_comes_before_the_quiet():
    wall, _ = placed("2027-07-23T22:00", useful=timedelta(hours=8))

    assert wall == "07-23 21:25"


def test_a_reminder_of_an_early_appointment_comes_the_evening_before():
    """An hour before it is quiet still."""
    early = Due(date(2027, 7, 24), time(8), ALGIERS)

    wall, found = placed("2027-07-24T09:00", due=early)

    assert (wall, found.clamped) == ("07-23 18:00", True)


def test_a_payment_at_a_time_of_day_is_spoken_of_before_it():
    """Late it would be said all the same: but who waits for the end of prayer pays late."""
    friday = Due(date(2027, 7, 23), time(14), ALGIERS)

    wall, found = placed("2027-07-23T13:00", due=friday, kind=FiringClass.PAYMENT)

    assert (wall, found.moved_by) == ("07-23 11:55", "friday")


def test_spreading_makes_nothing_too_late():
    _, in_time = placed("2027-07-23T10:00", useful=HERS + timedelta(seconds=1))
    _, too_late = placed("2027-07-23T10:00", useful=HERS)

    assert (in_time.jitter, too_late.jitter) == (HERS, timedelta(0))


def test_mornings_begin_later_in_ramadan():
    wall, found = placed("2027-02-10T09:00", due=Due(date(2027, 2, 11)))

    assert (wall, found.moved_by) == ("02-10 11:30", "")


@given(st.text(min_size=1, max_size=20), st.integers(1, 3600))
def test_jitter_is_the_same_every_day_and_within_its_spread(user_id, seconds):
    spread = timedelta(seconds=seconds)

    assert timedelta(0) <= jitter_of(user_id, spread) < spread
    assert jitter_of(user_id, spread) == jitter_of(user_id, spread)


def test_users_spread_over_the_minutes_and_nobody_is_early():
    minutes = {
        jitter_of(f"user-{number}", timedelta(minutes=4)) // timedelta(minutes=1)
        for number in range(100)
    }

    assert minutes == {0, 1, 2, 3}


def test_jitter_does_not_push_anybody_into_quiet():
    assert timedelta(0) < HERS
    _, found = placed("2027-07-23T21:29:59")

    assert found.jitter == timedelta(0)


walls = st.datetimes(datetime.fromisoformat("1971-01-01"), datetime.fromisoformat("2099-01-01"))


@given(st.sampled_from(sorted(POLICY)), walls)
def test_policy_never_speaks_while_it_is_quiet(kind, wall):
    hush = hush_of(person(AMINA), event_zone="UTC")

    _, found = placed(wall.isoformat(), due=Due(wall.date()), kind=kind)

    assert hush.reason(wall_of(found.at, ALGIERS)) == ""


def test_of_two_policy_reminders_that_follow_closely_the_later_is_enough():
    wedding = event(day=None)
    fitting = task(wedding, AtWall(date(2027, 7, 22), time(12), ALGIERS))
    rules = [rule(wedding, CalendarLead(Offset(), time(hour)), exact=False) for hour in (9, 10, 11)]

    firings = plan(Inputs(wedding, [member(wedding)], [fitting], rules, {}), until=FAR)

    assert [firing.due_at - HERS for firing in firings] == [datetime(2027, 7, 22, 10, tzinfo=UTC)]


def test_of_two_three_hours_apart_both_are_told():
    wedding = event(day=None)
    job = task(wedding, OnDay(date(2027, 7, 22)))
    rules = [rule(wedding, CalendarLead(Offset(), time(hour)), exact=False) for hour in (9, 12)]

    firings = plan(Inputs(wedding, [member(wedding)], [job], rules, {}), until=FAR)

    assert len(firings) == 2


def test_quiet_does_not_change_which_firing_it_is():
    wedding = event(day=None)
    job = task(wedding, OnDay(date(2027, 7, 22)))
    night = rule(wedding, CalendarLead(Offset(days=1), time(3)), exact=False)
    inputs = Inputs(wedding, [member(wedding)], [job], [night], {})

    (quiet,) = plan(inputs, until=FAR)
    (awake,) = plan(
        Inputs(
            wedding,
            [member(wedding)],
            [job],
            [night],
            {AMINA: person(AMINA, "Asia/Tokyo", "ja-JP")},
        ),
        until=FAR,
    )

    assert quiet.dedupe_key == awake.dedupe_key
    assert quiet.due_at != awake.due_at
