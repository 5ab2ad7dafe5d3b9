"""The planner keeps the coming horizon planned."""

import uuid
from dataclasses import replace
from datetime import date

import pytest

from reminders.adapters.mapping import EVENTS
from reminders.planner import PlannerOptions
from reminders.types import FromEvent, Offset
from tests.support.factories_reminders import AMINA, day_before, user
from tests.support.metrics import value_of


async def wedding(room, day):
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone="Africa/Algiers", day=day, at=None
    )
    event_id = sheet.event.id
    await room.tasks.create(user(AMINA), event_id, title="Robe", due=FromEvent(Offset()))
    await room.rules.put(
        user(AMINA),
        event_id,
        rule_id=uuid.uuid4(),
        task_id=None,
        user_id=None,
        lead=day_before(),
        exact=True,
    )
    return event_id


async def upcoming(room):
    return (await room.firings.upcoming(AMINA, cursor=None, limit=100)).items


async def test_what_is_marked_is_planned_and_then_there_is_nothing_to_do(anywhere, metrics):
    room = anywhere
    await wedding(room, date(2026, 3, 20))

    assert await room.planner.step() == 1
    assert await room.planner.step() == 0

    assert len(await upcoming(room)) == 1
    assert value_of(metrics, "reminders_planned_firings_total", change="added") == 1
    assert value_of(metrics, "reminders_plan_dirty") == 0


async def test_what_lies_beyond_the_horizon_is_planned_when_it_comes_nearer(anywhere):
    room = anywhere
    await wedding(room, date(2026, 5, 1))
    await room.planner.step()
    assert await upcoming(room) == []

    room.clock.move(days=30)
    assert await room.planner.step() == 1

    (firing,) = await upcoming(room)
    assert firing.due_at.isoformat() == "2026-04-30T08:00:00+00:00"


async def test_a_plan_is_topped_up_once_a_day_and_not_more(anywhere):
    room = anywhere
    await wedding(room, date(2026, 5, 1))
    await room.planner.step()

    made = []
    for _ in range(8):
        room.clock.move(hours=6)
        made.append(await room.planner.step())

    # A plan is made again when it reaches less than a day short of the horizon.
    assert sum(made) == 1


async def test_who_travels_takes_the_plan_along_without_a_second_firing(anywhere):
    room = anywhere
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr")
    await wedding(room, date(2026, 3, 20))
    await room.planner.step()
    (at_home,) = await upcoming(room)

    await room.people.put(user(AMINA), zone="America/Vancouver", locale="fr")
    assert await room.planner.step() == 1

    (away,) = await upcoming(room)
    assert away.dedupe_key == at_home.dedupe_key
    assert (away.due_at - at_home.due_at).total_seconds() == 8 * 3600


async def test_one_event_that_cannot_be_planned_does_not_hold_back_the_others(
    anywhere, database, metrics, caplog
):
    room = anywhere
    broken = await wedding(room, date(2026, 3, 20))
    await wedding(room, date(2026, 3, 21))
    async with database.transaction() as connection:
        spoil = EVENTS.update().where(EVENTS.c.id == broken).values(zone="Africa/Atlantis")
        await connection.execute(spoil)

    assert await room.planner.step() == 2
    assert await room.planner.step() == 0
    assert len(await upcoming(room)) == 1
    assert value_of(metrics, "reminders_plan_failures_total") == 1
    assert "plan failed" in caplog.text

    async with database.transaction() as connection:
        mend = EVENTS.update().where(EVENTS.c.id == broken).values(zone="Africa/Algiers")
        await connection.execute(mend)
    room.clock.move(seconds=61)
    assert await room.planner.step() == 1
    assert len(await upcoming(room)) == 2


@pytest.mark.parametrize(
    "wrong", [{"horizon_days": 1}, {"batch": 0}, {"poll_seconds": 0}, {"retry_seconds": 0}]
)
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        replace(PlannerOptions(), **wrong)
