"""What was remembered longer than anybody needs it."""

from datetime import date

from reminders.forgetting import EXPLAINED
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
