"""What every store of zones promises, over each database."""

from dataclasses import replace
from datetime import date, time
from uuid import uuid4

import pytest
import sqlalchemy as sa

from reminders.adapters.mapping import MARKS
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_zones import SqlZoneStore
from reminders.days import MAIN, Anchor
from reminders.guest import Guest
from reminders.types import AtWall, ZonePolicy
from tests.support.clock import START
from tests.support.factories_reminders import AMINA, BILAL, CELIA, event, member, person, rule, task
from tests.support.weddings import put_person

ALGIERS = "Africa/Algiers"
ZONES = {
    "place": "Africa/Casablanca",
    "part": "America/Port_of_Spain",
    "home": "Asia/Gaza",
    "device": "Europe/Paris",
    "due": "Africa/Cairo",
    "rule": "America/Vancouver",
    "guest": "Asia/Beirut",
}
"""What of an event may be on clocks of its own."""


@pytest.fixture
def store(database):
    return SqlZoneStore(database)


@pytest.fixture
async def events(database):
    """One for each of these, and one that is all in Algiers."""
    calendar = SqlCalendarStore(database)
    of = {name: event() for name in (*ZONES, "nothing")}
    here = Anchor("henna", zone=ALGIERS)
    there = Anchor("civil_act", days=-3, zone=ZONES["part"])
    of["place"] = replace(of["place"], zone=ZONES["place"])
    of["part"] = replace(of["part"], anchors=(here, there))
    of["nothing"] = replace(of["nothing"], anchors=(here,))
    for each in of.values():
        await calendar.create(each, None)
    await put_person(calendar, person(AMINA, ZONES["home"]))
    await put_person(calendar, replace(person(BILAL), device_zone=ZONES["device"]))
    await put_person(calendar, person(CELIA, ZONES["guest"]))
    meeting = AtWall(date(2026, 3, 20), time(9), ZONES["due"])
    for name, change in {
        "home": member(of["home"], AMINA),
        "device": member(of["device"], BILAL),
        "due": task(of["due"], meeting),
        "rule": rule(of["rule"], zone_policy=ZonePolicy.FIXED, zone=ZONES["rule"]),
        "guest": Guest(uuid4(), of["guest"].id, CELIA, MAIN, START),
        "nothing": task(of["nothing"]),
    }.items():
        await calendar.change(of[name].id, lambda _, it=change: [it], now=START)
    async with database.transaction() as connection:
        await connection.execute(MARKS.delete())
    return of


async def test_every_zone_that_anything_is_on_is_watched(store, events):
    assert await store.zones() == {ALGIERS, *ZONES.values()}


async def test_whatever_is_on_a_zones_clocks_is_planned_anew_when_they_change(
    store, database, events
):
    assert await store.put_zone_states([], changed=ZONES.values(), now=START) == len(ZONES)

    async with database.reading() as connection:
        marked = set((await connection.execute(sa.select(MARKS.c.event_id))).scalars())
    assert marked == {events[name].id for name in ZONES}
