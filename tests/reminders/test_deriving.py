"""Explanations begin with where a due and a wall come from, and end with the firing's name."""

from dataclasses import replace
from datetime import date, time, timedelta
from uuid import uuid4

import pytest

from reminders.defaults import Own
from reminders.deriving import due_by, lead_said, zone_by
from reminders.identity import collapse_key
from reminders.person import Occasion, Person, UsualLead
from reminders.snoozing import Later
from reminders.types import (
    AtWall,
    CalendarLead,
    ElapsedLead,
    FromEvent,
    Offset,
    OnDay,
    Recurrence,
    TaskDetails,
    ZonePolicy,
)
from tests.support.factories_reminders import AMINA, event, person, rule, task, user
from tests.support.weddings import job, wedding

OF = event(day=date(2027, 7, 23))
LATE = FromEvent(Offset(days=-200), span=300, start=date(2027, 6, 23))
ABROAD = replace(person(AMINA), device_zone="Europe/Paris")


@pytest.mark.parametrize(
    ("due", "details", "said"),
    [
        (OnDay(date(2027, 6, 1)), {}, "as it was typed"),
        (AtWall(date(2027, 6, 1), time(9), "Europe/Paris"), {}, "as it was typed"),
        (
            OnDay(date(2027, 6, 1)),
            {"recurs": Recurrence("FREQ=WEEKLY", date(2027, 6, 1))},
            "as it was typed, comes again by FREQ=WEEKLY",
        ),
        (
            FromEvent(Offset(months=-1, days=-3)),
            {},
            "1 month 3 days before main on 2027-07-23: 2027-06-20",
        ),
        (FromEvent(Offset()), {}, "on the day of main on 2027-07-23: 2027-07-23"),
        (
            FromEvent(Offset(months=-1, weeks=1)),
            {},
            "1 month before and 1 week after main on 2027-07-23: 2027-06-30",
        ),
        (FromEvent(Offset(days=-1), anchor="henna"), {}, "1 day before henna, which has no day"),
        (
            LATE,
            {},
            "200 days before main on 2027-07-23: 2027-01-04,"
            " drawn together because the plan was begun late",
        ),
        (
            FromEvent(Offset(days=-120)),
            {"opens": FromEvent(Offset(days=-90))},
            "120 days before main on 2027-07-23: 2027-03-25, not before 2027-04-24",
        ),
    ],
)
def test_a_due_says_what_makes_it_so(due, details, said):
    assert due_by(replace(task(OF, due), details=TaskDetails(**details)), OF) == said


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (ElapsedLead(timedelta(minutes=90)), "90 minutes before"),
        (ElapsedLead(timedelta(minutes=1)), "1 minute before"),
        (ElapsedLead(timedelta(0)), "when it is due"),
        (CalendarLead(Offset(days=1), time(18)), "1 day before at 18:00"),
        (CalendarLead(Offset(), time(9)), "on the day at 09:00"),
    ],
)
def test_a_lead_says_how_early_it_is(lead, said):
    assert lead_said(lead) == said


@pytest.mark.parametrize(
    ("changes", "who", "said"),
    [
        ({}, person(AMINA), "the user's profile"),
        ({}, ABROAD, "where the user's device is"),
        ({}, replace(ABROAD, follow_device=False), "the user's profile"),
        ({}, None, "the event's zone, for the user has no profile"),
        ({"zone_policy": ZonePolicy.EVENT}, person(AMINA), "the event's zone"),
        ({"zone_policy": ZonePolicy.FIXED, "zone": "UTC"}, ABROAD, "the rule's own zone"),
    ],
)
def test_a_wall_says_why_it_is_that_one(changes, who: Person | None, said):
    assert zone_by(rule(OF, **changes), who) == said


async def test_an_explanation_names_the_firing_that_is_planned(room):
    one = await job(room, await wedding(room))
    await room.planner.step()

    (traced,) = (await room.explain.of(user(AMINA), one.event_id, one.id)).traces

    (firing,) = (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items
    assert traced.key == collapse_key(firing.dedupe_key)
    assert traced.due_by == "on the day of main on 2026-03-10: 2026-03-10"
    assert traced.zone_by == "the event's zone, for the user has no profile"


DUES = ("2026-03-09", "2026-03-09T-@~", "2026-03-04")
"""The open occurrence, as rules have it and as firings have it, and when the other may be done."""


async def test_what_no_rule_says_is_explained_too(room):
    event_id = await wedding(room)
    await room.events.rename(user(AMINA), event_id, title="Noces", usual=True)
    weekly = TaskDetails(usual=True, recurs=Recurrence("FREQ=WEEKLY;COUNT=2", date.min))
    opening = TaskDetails(usual=True, opens=FromEvent(Offset(days=-6)))
    again = await room.tasks.create(
        user(AMINA), event_id, title="Fleurs", due=OnDay(date(2026, 3, 9)), details=weekly
    )
    later = await room.tasks.create(
        user(AMINA), event_id, title="Certificat", due=OnDay(date(2026, 3, 9)), details=opening
    )
    snoozed = {"action_id": uuid4(), "choice": Later.TOMORROW, "until": None}
    await room.snoozing.snooze(user(AMINA), event_id, again.id, **snoozed)

    async def reasons(task):
        found = await room.explain.of(user(AMINA), event_id, task.id)
        assert len({each.key for each in found.traces}) == len(found.traces)
        assert {each.due for each in found.traces} <= {None, "2026-03-16", *DUES}
        return {(each.layer, each.reason) for each in found.traces}

    assert await reasons(again) >= {
        ("user", "the user asked to be told again"),
        ("product", "a later occurrence"),
    }
    assert ("product", "it can be done from then on") in await reasons(later)


async def test_what_is_overdue_is_said_by_the_product_whatever_leads_a_user_chose(room):
    one = await room.tasks.create(
        user(AMINA),
        await wedding(room),
        title="Salle",
        due=OnDay(date(2026, 3, 9)),
        details=TaskDetails(usual=True),
    )
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ")
    own = {Occasion.NORMAL: Own(leads=(UsualLead(3),))}
    await room.defaults.put(user(AMINA), clock=None, occasions=own)

    traces = (await room.explain.of(user(AMINA), one.event_id, one.id)).traces

    by_layer = [(each.wall.day, each.layer) for each in traces if each.wall and each.due_at]
    assert by_layer[:2] == [(6, "user"), (10, "product")]
