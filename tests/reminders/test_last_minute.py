"""What its user changes in the minute between hand-over and word still counts."""

import uuid
from datetime import date, time, timedelta

from reminders.defaults import Own
from reminders.person import Occasion
from reminders.types import CalendarLead, Offset, OnDay, TaskDetails
from tests.support.factories_reminders import AMINA, user

ALGIERS, LONDON, CAIRO = "Africa/Algiers", "Europe/London", "Africa/Cairo"
TUESDAY = date(2026, 3, 24)
HALF_A_MINUTE = timedelta(seconds=30)


async def planned(room, *, usual=False):
    """A task of which Amina is told on Tuesday at nine in Algiers: in half a minute."""
    room.clock.move(days=20)
    await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-FR")
    wedding = await room.events.create(
        user(AMINA), title="Mariage", zone=ALGIERS, day=date(2026, 7, 10), at=None
    )
    here = user(AMINA), wedding.event.id
    due, details = OnDay(TUESDAY + timedelta(days=7)), TaskDetails(usual=usual)
    task = await room.tasks.create(*here, title="Salle", due=due, details=details)
    if not usual:
        lead = CalendarLead(Offset(days=7), time(9))
        await room.rules.put(
            *here, rule_id=uuid.uuid4(), task_id=task.id, user_id=None, lead=lead, exact=True
        )
    await room.planner.step()
    (first, *_) = await room.coming()
    await until(room, first - HALF_A_MINUTE)
    return task, first


async def handed_over(room, *, usual=False):
    """The same, and a scheduler took it."""
    task, first = await planned(room, usual=usual)
    assert await room.scheduler.step() == 1
    room.clock.move(seconds=1)
    return task, first


async def until(room, at):
    room.clock.move(seconds=(at - room.clock.now()).total_seconds())


async def told(room, at):
    """What is told when everybody works then, and once more a little later."""
    await until(room, at)
    notices = await room.notices()
    await room.planner.step()
    await room.scheduler.step()
    return notices + await room.notices()


async def test_who_travels_west_in_that_minute_is_told_at_the_same_hour_there_and_once(anywhere):
    _, at = await handed_over(anywhere)

    await anywhere.people.report_zone(user(AMINA), zone=LONDON, confirmed=True)

    assert await told(anywhere, at) == []
    assert len(await told(anywhere, at + timedelta(hours=1))) == 1
    assert await told(anywhere, at + timedelta(hours=2)) == []


async def test_who_travels_before_that_and_is_not_planned_yet_is_told_at_the_same_hour_too(
    anywhere,
):
    """The scheduler was faster than the planner."""
    _, at = await planned(anywhere)

    await anywhere.people.report_zone(user(AMINA), zone=LONDON, confirmed=True)
    anywhere.clock.move(seconds=3)
    assert await anywhere.scheduler.step() == 1
    await anywhere.planner.step()

    assert await told(anywhere, at) == []
    assert len(await told(anywhere, at + timedelta(hours=1))) == 1
    assert await told(anywhere, at + timedelta(hours=2)) == []


async def test_who_travels_east_in_that_minute_is_told_at_once_and_once(anywhere):
    _, at = await handed_over(anywhere)

    await anywhere.people.report_zone(user(AMINA), zone=CAIRO, confirmed=True)

    assert len(await told(anywhere, at)) == 1
    assert await told(anywhere, at + timedelta(hours=1)) == []


async def test_who_switches_it_off_in_that_minute_is_not_told_and_it_is_on_record(anywhere):
    task, at = await handed_over(anywhere, usual=True)

    off = {Occasion.NORMAL: Own(on=False)}
    await anywhere.defaults.put(user(AMINA), clock=None, occasions=off)

    assert await told(anywhere, at) == []
    (settled,) = await anywhere.firings.settled(task.id, AMINA)
    assert settled.outcome == "superseded"


async def test_what_changes_no_plan_holds_nothing_back(anywhere):
    _, at = await handed_over(anywhere)

    await anywhere.people.put(user(AMINA), zone=ALGIERS, locale="fr-FR", hijri=True)

    assert len(await told(anywhere, at)) == 1
