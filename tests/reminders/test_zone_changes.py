"""Every change of the clocks from 1970 to 2100, against a reader of zone files of our own.

The model (`tests/support/zone_rules.py`) knows neither `zoneinfo` nor our code. The short form
takes most changes in zones with clocks of their own kind, and some of each other one, which
ZAFFA_TEST_SEED chooses; the long form takes all 49,000.
"""

import os
import random
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from reminders.person import Quiet
from reminders.rules import plan
from reminders.times import (
    end_of_day,
    first_shown,
    offset_of,
    resolve,
    shown_again,
    wall_of,
    zone_names,
)
from reminders.types import AtWall, CalendarLead, ElapsedLead, Inputs, Offset, OnDay
from tests.support.factories_reminders import AMINA, event, member, person, rule, task
from tests.support.zone_rules import clocks_of

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
OF_THEIRS, OF_OTHERS = (1_000, 1_000) if SOAK else (40, 2)
SEED = os.environ.get("ZAFFA_TEST_SEED", "1")

OF_THEIR_OWN_KIND = {
    "Africa/Casablanca": "back for each Ramadan, and for ever on 2026-09-20",
    "Africa/El_Aaiun": "the same",
    "Asia/Gaza": "back for Ramadan too, some years twice",
    "Africa/Cairo": "on a Friday at midnight",
    "Asia/Beirut": "at midnight, which is skipped",
    "Europe/Dublin": "its winter time is the exception",
    "Australia/Lord_Howe": "by half an hour",
    "Antarctica/Troll": "by two hours",
    "Pacific/Apia": "a whole day left out",
    "Pacific/Kiritimati": "the last day of 1994 left out",
    "Pacific/Kwajalein": "a whole day left out",
    "America/Caracas": "by half an hour, for ever",
    "Asia/Pyongyang": "by half an hour, and back",
    "Asia/Kathmandu": "by a quarter of an hour, once",
    "Africa/Monrovia": "by three quarters and thirty seconds, once",
    "America/Nuuk": "on the evening before",
    "America/Vancouver": "for the last time in 2026",
    "Europe/Paris": "as most do",
    "Africa/Algiers": "as long as it did",
}
ZONES = sorted(zone_names())
PARTS = 4
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
BEGINNING = datetime(1960, 1, 1, tzinfo=UTC)


def changes(zone):
    found = list(clocks_of(zone).changes())
    number = OF_THEIRS if zone in OF_THEIR_OWN_KIND else OF_OTHERS
    return random.Random(f"{SEED} {zone}").sample(found, min(number, len(found)))


def walls(before, after):
    """Wall times just before, within and just after what is skipped or shown twice."""
    edges = [before.end.replace(tzinfo=None) + ahead for ahead in (before.ahead, after.ahead)]
    for edge in (*edges, edges[0] + (edges[1] - edges[0]) / 2):
        edge = edge.replace(microsecond=0)
        yield from (edge - SECOND, edge, edge + SECOND)
    today = min(edges).date()
    for day in (today, today + DAY):
        yield from (datetime.combine(day, at) for at in (time(), time(9)))


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_the_clocks_do_a_wall_time_is_what_the_zones_own_file_says(part):
    for zone in ZONES[part::PARTS]:
        clocks = clocks_of(zone)
        for before, after in changes(zone):
            for wall in walls(before, after):
                said = (zone, wall)
                shown, instant = clocks.shown(wall), clocks.instant(wall)
                assert len(shown) <= 2, said
                assert resolve(wall, zone) == instant, said
                assert wall_of(instant, zone) == clocks.at(instant), said
                assert first_shown(wall, zone) == clocks.first_at_least(wall), said
                assert shown_again(wall, zone) == (shown[1] if len(shown) > 1 else None), said
            for moment, ahead in ((after.start, after.ahead), (before.end - SECOND, before.ahead)):
                assert offset_of(moment, zone) == ahead, (zone, moment)
            day = after.start.date()
            midnight = datetime.combine(day + DAY, time())
            assert end_of_day(day, zone) == clocks.instant(midnight), (zone, day)


def planned(zone, viewer, due, lead, *, exact=True):
    """What is planned for Amina, who lives where she looks from."""
    about = event(zone=zone, day=None, planned_from=BEGINNING)
    amina = replace(person(AMINA, viewer, "fr-FR"), quiet=Quiet(time(), time()))
    inputs = Inputs(
        event=about,
        members=[member(about, joined_at=BEGINNING)],
        tasks=[task(about, due, planned_from=BEGINNING)],
        rules=[rule(about, lead=lead, exact=exact, planned_from=BEGINNING)],
        people={AMINA: amina},
    )
    (firing,) = plan(inputs, until=datetime(2102, 1, 1, tzinfo=UTC))
    return firing


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_planned_around_a_change_goes_off_when_the_zones_own_files_say(part):
    dice = random.Random(f"{SEED} {part}")
    for zone in ZONES[part::PARTS]:
        for before, after in changes(zone):
            wall = dice.choice(list(walls(before, after)))
            viewer = dice.choice([zone, zone, dice.choice(ZONES)])
            days, clock = dice.randint(0, 3), dice.choice([wall.time(), time(9)])
            said = (zone, wall, viewer, days, clock)
            here, there = clocks_of(viewer), clocks_of(zone)

            # All day: that date on the wall of whoever looks.
            lead = CalendarLead(Offset(days=days), clock)
            due = OnDay(wall.date())
            at = here.instant(datetime.combine(due.day - days * DAY, clock))
            over = here.instant(datetime.combine(due.day + DAY, time()))
            firing = planned(zone, viewer, due, lead)
            assert firing.due_at == at, said
            assert firing.useful_until == (over if at < over else at + 30 * MINUTE), said
            polite = planned(zone, viewer, due, lead, exact=False)
            assert at <= polite.due_at < at + 4 * MINUTE, said

            # An appointment: on the wall of its place, on whatever day that is for who looks.
            meeting = AtWall(wall.date(), wall.time(), zone)
            begins = there.instant(wall)
            seen = here.at(begins).date()
            at = here.instant(datetime.combine(seen - days * DAY, clock))
            at = at if at < begins else begins - 60 * MINUTE
            assert planned(zone, viewer, meeting, lead).due_at == at, said
            elapsed = timedelta(minutes=dice.randint(1, 3000))
            firing = planned(zone, viewer, meeting, ElapsedLead(elapsed))
            assert (firing.due_at, firing.useful_until) == (begins - elapsed, begins), said


def test_the_years_of_which_there_is_proof_hold_what_is_known_of_them():
    """The reader itself, against what the news of these changes said."""

    def changed(zone, year):
        return [
            (f"{after.start:%m-%d %H:%M}", (after.ahead - before.ahead) // MINUTE)
            for before, after in clocks_of(zone).changes()
            if after.start.year == year
        ]

    # Release 2026c of the zone data: Morocco goes back to the time of Greenwich, and stays.
    assert changed("Africa/Casablanca", 2026) == [
        ("02-15 02:00", -60),
        ("03-22 02:00", 60),
        ("09-20 01:00", -60),
    ]
    assert changed("Africa/Casablanca", 2027) == []
    # The European Union's rule (Directive 2000/84/EC): last Sundays, at one in UTC.
    for zone in ("Europe/Paris", "Europe/Dublin"):
        assert changed(zone, 2027) == [("03-28 01:00", 60), ("10-31 01:00", -60)]
    # Samoa had no 30 December in 2011.
    assert changed("Pacific/Apia", 2011)[-1] == ("12-30 10:00", 24 * 60)
    assert changed("Australia/Lord_Howe", 2027) == [("04-03 15:00", -30), ("10-02 15:30", 30)]
    # Egypt's law 24 of 2023: from the last Friday of April to the end of October's last Thursday.
    assert changed("Africa/Cairo", 2026) == [("04-23 22:00", 60), ("10-29 21:00", -60)]
    assert changed("Africa/Algiers", 2027) == []
