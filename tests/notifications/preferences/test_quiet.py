"""When quiet hours are over."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.deciding.quiet import quiet_until, windows_on, zone_named
from notifications.deciding.types import QuietHours, Ramadan, Window

ALGIERS = "Africa/Algiers"
NIGHT = Window(time(22), time(8))
LIE_IN = Window(time(23, 30), time(10))
SUHUR, IFTAR = Window(time(1, 30), time(10, 30)), Window(time(18), time(20, 30))
RAMADAN = Ramadan(1447, date(2026, 2, 19), date(2026, 3, 19))


def on_the_wall(text, zone=ALGIERS):
    """An instant, from what a clock on the wall shows."""
    return datetime.fromisoformat(text).replace(tzinfo=zone_named(zone)).astimezone(UTC)


def until(text, hours, *, zone=ALGIERS, ramadans=(RAMADAN,)):
    """Until when it is quiet, on the wall; None if it is not."""
    found = quiet_until(on_the_wall(text, zone), hours, device_zone=zone, ramadans=ramadans)
    return None if found is None else found.astimezone(zone_named(zone)).strftime("%a %d %H:%M")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-05-04 21:59", None),
        ("2026-05-04 22:00", "Tue 05 08:00"),
        ("2026-05-05 03:00", "Tue 05 08:00"),
        ("2026-05-05 07:59", "Tue 05 08:00"),
        ("2026-05-05 08:00", None),
    ],
)
def test_a_night_crosses_midnight_and_ends_in_the_morning(text, end):
    assert until(text, QuietHours((NIGHT,))) == end


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-05-06 22:30", "Thu 07 08:00"),
        ("2026-05-07 22:30", None),
        ("2026-05-07 23:30", "Fri 08 10:00"),
        ("2026-05-08 23:45", "Sat 09 10:00"),
        ("2026-05-09 22:30", "Sun 10 08:00"),
    ],
)
def test_the_nights_to_friday_and_saturday_are_the_weekends(text, end):
    assert until(text, QuietHours((NIGHT,), weekend=(LIE_IN,))) == end


def test_somebody_in_paris_rests_on_other_days():
    hours = QuietHours((NIGHT,), weekend=(LIE_IN,), weekend_days=(5, 6), zone="Europe/Paris")

    assert until("2026-05-07 22:30", hours, zone="Europe/Paris") == "Fri 08 08:00"
    assert until("2026-05-08 23:45", hours, zone="Europe/Paris") == "Sat 09 10:00"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-03-10 00:30", None),
        ("2026-03-10 02:00", "Tue 10 10:30"),
        ("2026-03-10 18:30", "Tue 10 20:30"),
        ("2026-03-10 22:30", None),
        # The first and the last night: the day on which a night ends says whose it is.
        ("2026-02-18 22:30", None),
        ("2026-03-19 22:30", "Fri 20 08:00"),
    ],
)
def test_in_ramadan_people_sleep_in_the_morning_and_eat_at_sunset(text, end):
    assert until(text, QuietHours((NIGHT,), ramadan=(SUHUR, IFTAR))) == end


def test_who_has_no_ramadan_profile_keeps_the_usual_night():
    assert until("2026-03-10 23:00", QuietHours((NIGHT,))) == "Wed 11 08:00"


def test_windows_that_touch_are_one():
    hours = QuietHours((Window(time(12), time(14)), Window(time(14), time(15))))

    assert until("2026-05-04 12:30", hours) == "Mon 04 15:00"


def test_a_zone_of_ones_own_beats_that_of_the_phone():
    at = on_the_wall("2026-05-04 22:30", ALGIERS)
    hours = QuietHours((NIGHT,), zone="Asia/Tokyo")

    assert quiet_until(at, hours, device_zone=ALGIERS, ramadans=()) == on_the_wall(
        "2026-05-05 08:00", "Asia/Tokyo"
    )


@pytest.mark.parametrize(("night", "hours"), [("2026-03-28 23:00", 8), ("2026-10-24 23:00", 10)])
def test_a_night_in_which_the_clocks_change_ends_at_eight_on_the_wall(night, hours):
    at = on_the_wall(night, "Europe/Paris")

    end = quiet_until(at, QuietHours((NIGHT,)), device_zone="Europe/Paris", ramadans=())

    assert end - at == timedelta(hours=hours)


def test_quiet_hours_that_never_end_are_given_up():
    always = QuietHours((Window(time(0), time(12)), Window(time(12), time(0))))
    at = on_the_wall("2026-05-04 10:00")

    end = quiet_until(at, always, device_zone=ALGIERS, ramadans=())

    assert end is not None
    assert end - at < timedelta(days=60)


_times = st.times().map(lambda at: at.replace(microsecond=0, tzinfo=None))
_windows = st.lists(st.builds(Window, _times, _times), max_size=3).map(tuple)
_hours = st.builds(
    QuietHours,
    windows=_windows,
    weekend=st.none() | _windows,
    ramadan=st.none() | _windows,
    zone=st.sampled_from(["", ALGIERS, "Europe/Paris", "America/St_Johns", "Pacific/Apia"]),
)
_instants = st.integers(0, 2 * 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(at=_instants, hours=_hours)
def test_the_end_of_quiet_hours_is_later_and_not_quiet(at, hours):
    end = quiet_until(at, hours, device_zone=ALGIERS, ramadans=[RAMADAN])

    if end is not None:
        assert end > at
        again = quiet_until(end, hours, device_zone=ALGIERS, ramadans=[RAMADAN])
        # Unless it is never over, asking again at the end finds nothing more.
        assert again is None or end - at > timedelta(days=10)


def test_the_rules_of_a_day_are_those_of_ramadan_before_those_of_the_weekend():
    hours = QuietHours((NIGHT,), weekend=(LIE_IN,), ramadan=(SUHUR,))
    days = [date(2026, 3, 13), date(2026, 3, 27), date(2026, 3, 30)]

    assert [windows_on(day, hours, [RAMADAN]) for day in days] == [(SUHUR,), (LIE_IN,), (NIGHT,)]
