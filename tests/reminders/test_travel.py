"""Where a user is, as their devices tell."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reminders.travel import heard
from tests.support.factories_reminders import AMINA, person

NOW = datetime(2027, 7, 1, 8, tzinfo=UTC)
PARIS, ALGIERS, TOKYO = "Europe/Paris", "Africa/Algiers", "Asia/Tokyo"


def after(*reports, confirmed=False):
    """Where Amina of Algiers is after reports of (minutes, zone)."""
    amina = person(AMINA, ALGIERS)
    for minutes, zone in reports:
        amina = heard(amina, zone, now=NOW + timedelta(minutes=minutes), confirmed=confirmed)
    return amina.zone_now


def test_a_zone_is_believed_when_it_is_told_again_after_half_an_hour():
    assert after((0, PARIS)) == ALGIERS
    assert after((0, PARIS), (29, PARIS)) == ALGIERS
    assert after((0, PARIS), (30, PARIS)) == PARIS


def test_a_zone_that_the_user_confirmed_is_believed_at_once():
    assert after((0, PARIS), confirmed=True) == PARIS


def test_two_devices_that_disagree_change_nothing():
    flapping = [(minute, PARIS if minute % 20 else ALGIERS) for minute in range(0, 600, 10)]

    assert after(*flapping) == ALGIERS


def test_a_second_change_waits_for_six_hours():
    there = [(0, PARIS), (30, PARIS), (60, TOKYO), (300, TOKYO)]

    assert after(*there) == PARIS
    assert after(*there, (390, TOKYO)) == TOKYO


def test_who_does_not_follow_devices_stays_at_home():
    amina = replace(person(AMINA, ALGIERS), follow_device=False)

    assert heard(amina, PARIS, now=NOW, confirmed=True).zone_now == ALGIERS
