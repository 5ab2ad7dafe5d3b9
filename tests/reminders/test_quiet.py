"""Quiet hours, against a model that walks through the minutes."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.person import FastingPolicy, Person, Quiet, Ramadan
from reminders.quiet import (
    Hush,
    hush_of,
    last_allowed,
    next_allowed,
    quiet_for,
    shifted,
    stays_allowed,
)
from reminders.times import offset_of, wall_of, zone_names
from tests.support.factories_reminders import AMINA, person

MINUTE = timedelta(minutes=1)
FAR = datetime(2101, 1, 1, tzinfo=UTC)

clocks = st.times().map(lambda at: at.replace(second=0, microsecond=0))
hours = st.builds(Quiet, clocks, clocks).filter(
    lambda quiet: quiet_for(quiet) < timedelta(hours=16)
)
zones = st.sampled_from(sorted(zone_names()))
instants = st.datetimes(
    datetime.fromisoformat("1970-01-01"),
    datetime.fromisoformat("2099-12-01"),
    timezones=st.just(UTC),
).map(lambda at: at.replace(second=0, microsecond=0))
hushes = st.builds(
    Hush,
    zone=zones,
    quiet=hours,
    prays=st.booleans(),
    fasts=st.booleans(),
    works_in=st.sampled_from([None, "DZ", "FR"]),
)


def at(text, zone="Africa/Algiers"):
    """The instant at which the clocks of a zone show this."""
    wall = datetime.fromisoformat(text)
    return next(
        found
        for minutes in range(-15 * 60, 15 * 60)
        if wall_of(found := wall.replace(tzinfo=UTC) + minutes * MINUTE, zone) == wall
    )


def algerian(**changes):
    return hush_of(Person(AMINA, "Africa/Algiers", "fr-DZ", **changes), event_zone="UTC")


@given(instants, hushes, st.integers(0, 30))
def test_where_it_stays_allowed_no_minute_is_quiet(instant, hush, minutes):
    if stays_allowed(instant, hush, within=minutes * MINUTE):
        for each in range(minutes + 1):
            assert not hush.reason(wall_of(instant + each * MINUTE, hush.zone))


def test_a_morning_stays_allowed_and_the_end_of_an_evening_does_not():
    hush = algerian()

    assert stays_allowed(at("2027-06-08T09:00"), hush, within=10 * MINUTE)
    assert not stays_allowed(at("2027-06-08T21:25"), hush, within=10 * MINUTE)
    assert not stays_allowed(at("2027-06-08T22:00"), hush, within=10 * MINUTE)


@given(instants, hushes)
def test_what_is_quiet_waits_for_the_first_minute_that_is_not(instant, hush):
    found = next_allowed(instant, hush)

    assert found is not None
    assert found >= instant
    assert hush.reason(wall_of(found, hush.zone)) == ""
    assert next_allowed(found, hush) == found
    between = range(min(int((found - instant) / MINUTE), 40 * 60))
    walls = [wall_of(instant + minute * MINUTE, hush.zone) for minute in between]
    # Clocks that go back can show an hour again that is not quiet; nobody is woken for that.
    if offset_of(found, hush.zone) >= offset_of(instant, hush.zone):
        assert all(hush.reason(wall) for wall in walls)


@given(instants, hushes)
def test_what_cannot_wait_comes_before_the_quiet(instant, hush):
    found = last_allowed(instant, hush)

    if found is not None:
        assert found <= instant
        assert hush.reason(wall_of(found, hush.zone)) == ""


@given(instants, hushes, st.timedeltas(timedelta(0), timedelta(days=2)))
def test_nothing_is_shifted_past_the_latest_useful_moment(instant, hush, useful):
    found = shifted(instant, hush, latest=instant + useful)

    assert found < instant + useful or found <= instant
    assert shifted(found, hush, latest=FAR) == found or hush.reason(wall_of(found, hush.zone))


@pytest.mark.parametrize(
    ("planned", "spoken"),
    [
        ("2027-07-22T09:00", "2027-07-22T09:00"),
        ("2027-07-22T07:00", "2027-07-22T08:30"),
        ("2027-07-22T21:29", "2027-07-22T21:29"),
        ("2027-07-22T21:30", "2027-07-23T08:30"),
        ("2027-07-23T13:00", "2027-07-23T14:30"),
        ("2027-07-24T13:00", "2027-07-24T13:00"),
    ],
)
def test_the_usual_hours_in_algeria(planned, spoken):
    assert next_allowed(at(planned), algerian()) == at(spoken)


@pytest.mark.parametrize(
    ("planned", "spoken", "reason"),
    [
        ("2027-02-09T09:00", "2027-02-09T10:30", "ramadan"),
        ("2027-02-09T23:00", "2027-02-09T23:00", ""),
        ("2027-02-09T19:00", "2027-02-09T20:30", "iftar"),
        ("2027-03-08T19:00", "2027-03-08T20:30", "iftar"),
        ("2027-03-09T12:00", "2027-03-11T08:30", "eid"),
    ],
)
def test_in_ramadan_people_are_up_late_and_after_it_they_celebrate(planned, spoken, reason):
    hush = algerian()

    assert next_allowed(at(planned), hush) == at(spoken)
    assert hush.reason(datetime.fromisoformat(planned)) == reason


def test_what_an_operator_knows_of_ramadan_wins_over_the_calendar():
    """In 2026 Algeria began a day after Umm al-Qura."""
    known = Ramadan(1447, date(2026, 2, 19), date(2026, 3, 19))
    computed = algerian()
    informed = hush_of(person(AMINA), event_zone="UTC", ramadans=[known])

    assert computed.is_fasting(date(2026, 2, 18))
    assert not informed.is_fasting(date(2026, 2, 18))
    assert informed.is_fasting(date(2026, 3, 19))


def test_a_users_own_hours_hold_in_ramadan_too():
    hush = algerian(quiet=Quiet(time(22), time(7)))

    assert hush.reason(datetime.fromisoformat("2027-02-09T23:00")) == "quiet hours"
    assert hush.reason(datetime.fromisoformat("2027-02-09T09:00")) == "ramadan"


@pytest.mark.parametrize(
    ("fasting", "locale", "zone", "expected"),
    [
        (FastingPolicy.AUTO, "fr-DZ", "Africa/Algiers", True),
        (FastingPolicy.AUTO, "fr", "Africa/Algiers", True),
        (FastingPolicy.AUTO, "fr-FR", "Europe/Paris", False),
        (FastingPolicy.ON, "fr-FR", "Europe/Paris", True),
        (FastingPolicy.OFF, "ar-DZ", "Africa/Algiers", False),
    ],
)
def test_ramadan_changes_the_days_of_those_who_keep_it(fasting, locale, zone, expected):
    hush = hush_of(Person(AMINA, zone, locale, fasting=fasting), event_zone="UTC")

    assert hush.is_fasting(date(2027, 2, 15)) is expected


def test_equal_ends_are_no_quiet_at_all():
    hush = algerian(quiet=Quiet(time(0), time(0)), fasting=FastingPolicy.OFF)

    assert hush.reason(datetime.fromisoformat("2027-07-22T03:00")) == ""


def test_quiet_that_ends_in_a_skipped_hour_ends_when_the_clocks_have_skipped_it():
    """In Beirut midnight was skipped: half past twelve never came, one o'clock did at once."""
    hush = Hush(zone="Asia/Beirut", quiet=Quiet(time(21), time(0, 30)))

    assert next_allowed(datetime(2027, 3, 27, 21, tzinfo=UTC), hush) == datetime(
        2027, 3, 27, 22, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("asked", "ends"),
    [
        # At two the clocks show three: half past two was skipped, and is over.
        (datetime(2027, 3, 28, 0, 30, tzinfo=UTC), datetime(2027, 3, 28, 1, tzinfo=UTC)),
        # At three the clocks show two: it is quiet once more, until half past two comes again.
        (datetime(2027, 10, 31, 1, 10, tzinfo=UTC), datetime(2027, 10, 31, 1, 30, tzinfo=UTC)),
    ],
)
def test_quiet_that_ends_in_the_hour_in_which_the_clocks_change_ends_as_they_show_it(asked, ends):
    hush = Hush(zone="Europe/Paris", quiet=Quiet(time(22), time(2, 30)))

    assert next_allowed(asked, hush) == ends


def test_what_would_come_at_the_very_moment_it_is_too_late_comes_before_the_quiet():
    night, morning = at("2027-07-22T23:00"), at("2027-07-23T08:30")

    assert shifted(night, algerian(), latest=morning + MINUTE) == morning
    assert shifted(night, algerian(), latest=morning) == at("2027-07-22T21:25")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("2026-07-01T08:30", "2026-07-01T09:00"),
        ("2026-07-01T17:59", "2026-07-01T17:59"),
        ("2026-07-01T18:00", "2026-07-02T09:00"),
        # Friday and Saturday are the weekend, and this Sunday is the fifth of July.
        ("2026-07-03T10:00", "2026-07-06T09:00"),
    ],
)
def test_vendors_are_spoken_to_while_they_work(asked, said):
    vendor = hush_of(
        Person(AMINA, "Africa/Algiers", "fr-DZ"), event_zone="Africa/Algiers", at_work=True
    )

    assert shifted(at(asked), vendor, latest=FAR) == at(said)


def test_a_vendors_own_quiet_hours_hold_instead_of_working_hours():
    own = Person(AMINA, "Africa/Algiers", "fr-DZ", quiet=Quiet(time(22), time(7)))
    vendor = hush_of(own, event_zone="Africa/Algiers", at_work=True)

    evening = at("2026-07-04T20:00")
    assert next_allowed(evening, vendor) == evening


def test_each_country_works_on_its_own_days():
    friday = at("2026-07-03T10:00", "Europe/Paris")
    paris = hush_of(None, event_zone="Europe/Paris", at_work=True)

    assert next_allowed(friday, paris) == friday
    assert paris.reason(wall_of(friday + timedelta(days=1), "Europe/Paris")) == "weekend"
