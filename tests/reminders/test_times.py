"""Wall time and instants, against the golden values of the specification and against zones."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from reminders.times import (
    checked_day,
    checked_zone,
    end_of_day,
    offset_of,
    resolve,
    use_packaged_zones,
    wall_of,
    zone_named,
    zone_names,
)

zones = st.sampled_from(sorted(zone_names()))
walls = st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2099-12-31"))

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "wall", "instant", "shown"),
    [
        ("Africa/Algiers", "2027-07-16T09:00", "2027-07-16T08:00Z", "2027-07-16T09:00"),
        ("Europe/Paris", "2027-10-31T02:30", "2027-10-31T00:30Z", "2027-10-31T02:30"),
        ("Europe/Paris", "2027-03-28T02:30", "2027-03-28T01:30Z", "2027-03-28T03:30"),
        ("Africa/Cairo", "2026-04-24T00:30", "2026-04-23T22:30Z", "2026-04-24T01:30"),
        ("Africa/Cairo", "2026-10-29T23:30", "2026-10-29T20:30Z", "2026-10-29T23:30"),
        ("Asia/Beirut", "2027-03-28T00:00", "2027-03-27T22:00Z", "2027-03-28T01:00"),
        ("Africa/Casablanca", "2026-09-19T09:00", "2026-09-19T08:00Z", "2026-09-19T09:00"),
        ("Africa/Casablanca", "2026-12-01T09:00", "2026-12-01T09:00Z", "2026-12-01T09:00"),
        ("America/Vancouver", "2026-12-01T09:00", "2026-12-01T16:00Z", "2026-12-01T09:00"),
        ("America/Edmonton", "2026-12-01T09:00", "2026-12-01T15:00Z", "2026-12-01T09:00"),
        ("Australia/Lord_Howe", "2027-04-04T01:45", "2027-04-03T14:45Z", "2027-04-04T01:45"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45Z", "2026-10-04T02:45"),
        ("Asia/Kathmandu", "2026-03-01T09:00", "2026-03-01T03:15Z", "2026-03-01T09:00"),
        ("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T19:00Z", "2011-12-31T09:00"),
    ],
)
def test_a_wall_time_is_the_instant_that_the_specification_names(zone, wall, instant, shown):
    resolved = resolve(datetime.fromisoformat(wall), zone)

    assert resolved == datetime.fromisoformat(instant)
    assert wall_of(resolved, zone) == datetime.fromisoformat(shown)


@given(walls, zones)
def test_what_the_clocks_show_is_what_was_meant_unless_they_skip_it(wall, zone):
    shown = wall_of(resolve(wall, zone), zone)

    assert shown == wall or wall < shown <= wall + DAY


@given(walls, zones)
def test_a_skipped_wall_time_lands_later_by_the_length_of_the_gap(wall, zone):
    instant = resolve(wall, zone)
    shown = wall_of(instant, zone)

    if shown != wall:
        before = offset_of(instant - DAY - timedelta(hours=1), zone)
        assert shown - wall == offset_of(instant, zone) - before


@given(walls, zones)
def test_a_wall_time_shown_twice_is_the_first_of_the_two(wall, zone):
    first = resolve(wall, zone)

    earlier = [first - timedelta(minutes=minutes) for minutes in range(30, 181, 30)]
    assert all(wall_of(instant, zone) != wall for instant in earlier)


@given(walls, zones, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_order_is_kept_except_within_one_change_of_the_clocks(wall, zone, later):
    assert resolve(wall, zone) <= resolve(wall + later, zone) + DAY
    if later >= DAY:
        assert resolve(wall, zone) <= resolve(wall + later, zone)


def test_a_day_ends_when_the_next_begins_even_when_midnight_is_skipped():
    assert end_of_day(date(2027, 3, 27), "Asia/Beirut") == datetime(2027, 3, 27, 22, tzinfo=UTC)
    assert end_of_day(date(2027, 7, 23), "Africa/Algiers") == datetime(2027, 7, 23, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    ["", "+01:00", "EST", "Etc/GMT+1", "localtime", "posix/Europe/Paris", "europe/paris", "../UTC"],
)
def test_what_is_not_a_place_is_not_a_zone(name):
    with pytest.raises(InvalidInput):
        checked_zone(name)
    with pytest.raises(LookupError):
        zone_named(name)


@pytest.mark.parametrize("name", ["Africa/Algiers", "UTC", "America/Argentina/Ushuaia"])
def test_places_and_utc_are_zones_and_stay_as_they_were_given(name):
    assert checked_zone(name) == name
    assert zone_named(name).key == name


def test_days_that_nobody_can_mean_are_refused():
    assert checked_day(date(2000, 1, 1)) == date(2000, 1, 1)
    assert checked_day(date(2099, 12, 31)) == date(2099, 12, 31)
    with pytest.raises(InvalidInput):
        checked_day(date(1999, 12, 31))
    with pytest.raises(InvalidInput):
        checked_day(date(2100, 1, 1))


def test_a_wall_time_with_a_zone_of_its_own_is_a_bug():
    with pytest.raises(ValueError, match="no zone of its own"):
        resolve(datetime(2027, 1, 1, tzinfo=UTC), "UTC")


def test_the_process_can_be_told_to_forget_the_zones_of_its_host():
    before = zoneinfo.TZPATH
    try:
        use_packaged_zones()

        assert zoneinfo.TZPATH == ()
        winter = datetime(2026, 12, 1, 8, tzinfo=UTC)
        assert winter.astimezone(zoneinfo.ZoneInfo("Africa/Casablanca")).hour == 8
    finally:
        zoneinfo.reset_tzpath(to=before)
        zoneinfo.ZoneInfo.clear_cache()
