"""What waits beyond its time does not vanish when its plan is changed: told later, or on record."""

import uuid
from datetime import date, time

import pytest

from reminders.adapters.mapping import TASKS
from reminders.firing import FiringClass
from reminders.scheduler import SWEEP_SECONDS
from reminders.types import CalendarLead, FromEvent, Offset, OnDay
from tests.support.factories_reminders import AMINA, server, user

DAY, OTHER_DAY = date(2026, 4, 17), date(2026, 8, 10)
FAR = FiringClass.POLICY_FAR


@pytest.fixture
async def task(anywhere):
    """A week before it is due Amina was to be told of it, and that class was paused: three days
    ago."""
    anywhere.clock.move(days=33)
    wedding = await anywhere.events.create(
        user(AMINA), title="Mariage", zone="Africa/Algiers", day=DAY, at=None
    )
    here = user(AMINA), wedding.event.id
    made = await anywhere.tasks.create(*here, title="Salle", due=FromEvent(Offset()))
    lead = CalendarLead(Offset(days=7), time(11))
    await anywhere.rules.put(
        *here, rule_id=uuid.uuid4(), task_id=made.id, user_id=None, lead=lead, exact=False
    )
    await anywhere.planner.step()
    await anywhere.operating.pause(server(), FAR)
    anywhere.clock.move(days=10)
    await anywhere.scheduler.step()
    return made


async def became(room, task, *, planned=True):
    """What is on record of the task's reminder, after all that is at work looked at it."""
    if planned:
        await room.planner.step()
    # Schedulers look so far back once in a while only.
    room.clock.move(seconds=SWEEP_SECONDS)
    await room.scheduler.step()
    await room.notices()
    return [each.outcome for each in await room.firings.settled(task.id, AMINA)]


async def test_what_a_pause_held_for_days_is_told_of_when_its_event_is_there_again(anywhere, task):
    await anywhere.moving.move(user(AMINA), task.event_id, day=OTHER_DAY, at=None)
    assert await became(anywhere, task) == ["superseded"]
    await anywhere.moving.undo(user(AMINA), task.event_id)
    assert await became(anywhere, task) == []

    await anywhere.operating.resume(server(), FAR)

    assert await became(anywhere, task) == ["folded"]


@pytest.mark.parametrize("change", ["moved", "done", "ruled out"])
async def test_what_a_pause_held_is_on_record_when_nobody_is_to_be_told_any_more(
    anywhere, task, change
):
    here = user(AMINA), task.event_id
    match change:
        case "moved":
            due = OnDay(date(2026, 5, 5))
            await anywhere.tasks.update(*here, task.id, title="Salle", due=due, assignee_id=None)
        case "done":
            await anywhere.tasks.complete(*here, task.id)
        case _:
            (rule,) = (await anywhere.tasks.get(*here, task.id)).rules
            await anywhere.rules.drop(*here, rule_id=rule.id, task_id=task.id)

    assert await became(anywhere, task) == ["superseded"]


async def test_what_died_long_ago_is_told_of_all_the_same_once_it_can_be(anywhere, database, task):
    zoned = TASKS.update().where(TASKS.c.id == task.id)
    async with database.transaction() as connection:
        nowhere = {"due_day": DAY, "due_time": time(20), "due_zone": "Nowhere"}
        await connection.execute(zoned.values(due_kind="wall", **nowhere))
    await anywhere.operating.resume(server(), FAR)
    assert await became(anywhere, task, planned=False) == ["dead"]
    async with database.transaction() as connection:
        await connection.execute(zoned.values(due_kind="event", **dict.fromkeys(nowhere)))

    await anywhere.operating.revive(server(), task.event_id)

    assert await became(anywhere, task) == ["folded"]
