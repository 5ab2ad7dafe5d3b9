"""A plan of a window is the whole plan, as far as the window goes."""

import random
from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from reminders.rules import plan
from reminders.types import (
    AtWall,
    CalendarLead,
    ElapsedLead,
    FromEvent,
    Inputs,
    Offset,
    OnDay,
    Payment,
    Priority,
    TaskDetails,
)
from tests.support.clock import START
from tests.support.factories_reminders import AMINA, BILAL, TODAY, event, member, person, rule, task


@pytest.mark.parametrize("seed", range(15))
def test_what_is_far_before_or_after_a_window_is_not_missed_in_it(seed):
    dice = random.Random(seed)
    inputs = some_event(dice)
    since = START + timedelta(days=dice.randint(-200, 200))
    until = since + timedelta(hours=dice.randint(24, 60 * 24))

    window = plan(inputs, until=until, since=since)

    whole = [each for each in plan(inputs, until=until) if each.due_at >= since]
    assert [each for each in window if each.due_at >= since] == whole


@pytest.mark.parametrize("seed", range(10))
def test_what_waits_since_long_ago_is_not_missed_either(seed):
    dice = random.Random(seed)
    since = START + timedelta(days=dice.randint(-100, 100))
    inputs = replace(some_event(dice), waiting_since=since - timedelta(days=dice.randint(0, 90)))
    until = since + timedelta(hours=dice.randint(24, 60 * 24))

    window = plan(inputs, until=until, since=since)

    whole = [each for each in plan(inputs, until=until) if each.due_at >= inputs.waiting_since]
    assert [each for each in window if each.due_at >= inputs.waiting_since] == whole


def test_what_was_put_off_for_days_is_not_missed_when_it_comes():
    """A payment due on the first day of Eid is spoken of when the feast is over."""
    about = event(day=None)
    owed = TaskDetails(payment=Payment(100_000, "DZD"))
    deposit = replace(task(about, OnDay(date(2026, 3, 20))), details=owed)
    today = rule(about, CalendarLead(Offset(), time(9)), exact=False)
    inputs = Inputs(about, [member(about)], [deposit], [today], {AMINA: person(AMINA)})

    (whole,) = plan(inputs, until=START + timedelta(days=60))

    assert whole.due_at - START > timedelta(days=20, hours=20)
    assert plan(inputs, until=START + timedelta(days=60), since=whole.due_at) == [whole]


@pytest.mark.parametrize(("due_on", "days"), [(date(2026, 3, 11), 0), (date(2026, 3, 10), -1)])
def test_where_it_is_tomorrow_already_tomorrow_is_in_the_window(due_on, days):
    """In Apia it is nine when it is eight in the evening of the day before elsewhere."""
    about = event(day=None)
    early = rule(about, CalendarLead(Offset(days=days), time(9)), exact=False)
    inputs = Inputs(
        about,
        [member(about)],
        [task(about, OnDay(due_on))],
        [early],
        {AMINA: person(AMINA, APIA, "en-WS")},
    )
    until = START + timedelta(days=9, hours=13)

    (firing,) = plan(inputs, until=until, since=until - timedelta(days=30))

    assert until - firing.due_at < timedelta(hours=1)


def some_event(dice):
    """Tasks of every kind around today, with rules of every kind about them."""
    about = event(day=TODAY + timedelta(days=dice.randint(-100, 100)))
    tasks = []
    for _ in range(40):
        due = FromEvent(Offset(days=-dice.randint(-60, 300)))
        if dice.random() < 0.3:
            day = TODAY + timedelta(days=dice.randint(-200, 200))
            due = AtWall(day, time(dice.randrange(24), 30), dice.choice(ZONES))
        owed = Payment(100_000, "DZD") if dice.random() < 0.2 else None
        details = TaskDetails(priority=dice.choice(list(Priority)), usual=True, payment=owed)
        tasks.append(replace(task(about, due), details=details))
    leads = [
        CalendarLead(Offset(days=dice.randint(-20, 60)), time(9)),
        CalendarLead(Offset(months=dice.randint(0, 3)), time(18)),
        ElapsedLead(timedelta(minutes=dice.randint(1, 20_000))),
    ]
    people = {each: person(each, dice.choice(ZONES)) for each in (AMINA, BILAL)}
    rules = [rule(about, lead, exact=dice.random() < 0.5) for lead in leads]
    return Inputs(about, [member(about, each) for each in people], tasks, rules, people)


APIA = "Pacific/Apia"
ZONES = ("Africa/Algiers", "America/Vancouver", "Asia/Kathmandu", APIA)
