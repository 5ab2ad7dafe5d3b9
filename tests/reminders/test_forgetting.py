"""What was remembered longer than anybody needs it."""

import uuid
from datetime import date, timedelta

from reminders.forgetting import EXPLAINED
from reminders.snoozing import Later
from reminders.types import OnDay
from tests.support.factories_reminders import AMINA, user
from tests.support.weddings import job, wedding


async def test_what_became_of_reminders_is_forgotten_after_thirteen_months(anywhere):
    room = anywhere
    event_id = await wedding(room, date(2026, 3, 10))
    task = await job(room, event_id)
    await room.planner.step()
    room.clock.move(days=8)
    await room.scheduler.step()

    room.clock.move(days=EXPLAINED.days)
    assert await room.forgetting.step() == 0
    assert len((await room.explain.of(user(AMINA), event_id, task.id)).settled) == 1
    room.clock.move(days=3)

    assert await room.forgetting.step() == 1
    assert (await room.explain.of(user(AMINA), event_id, task.id)).settled == []


async def test_what_is_about_a_day_long_ago_is_not_forgotten_before_it_is_told(anywhere):
    room = anywhere
    event_id = await wedding(room, room.clock.now().date())
    due = OnDay((room.clock.now() - EXPLAINED - timedelta(days=9)).date())
    task = await room.tasks.create(user(AMINA), event_id, title="Merci", due=due)
    await room.snoozing.snooze(
        user(AMINA), event_id, task.id, action_id=uuid.uuid4(), choice=Later.HOUR
    )
    await room.planner.step()
    room.clock.move(minutes=59, seconds=30)
    await room.scheduler.step()

    await room.forgetting.step()
    room.clock.move(seconds=30)

    assert [each.variables["task"] for each in await room.notices()] == ["Merci"]
    room.clock.move(days=EXPLAINED.days + 2)
    await room.forgetting.step()
    assert (await room.explain.of(user(AMINA), event_id, task.id)).settled == []
