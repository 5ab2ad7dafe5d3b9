"""Acting on several reminders that were told in one."""

import uuid
from datetime import date, time, timedelta

import pytest

from kernel.notices import RECALL, recall_of
from reminders.acting import Tap
from reminders.action import ActionKind, ActionOutcome
from reminders.errors import ActionTokenInvalid, TaskNotFound
from reminders.forgetting import KEPT
from reminders.person import Digests
from reminders.types import CalendarLead, Offset, Role
from tests.support.factories_reminders import AMINA, BILAL, user
from tests.support.weddings import job, wedding

PHONE = uuid.uuid4()


async def told_in_one(room):
    """Amina is told of three tasks in one: their event, the tasks, and what her phone has."""
    event_id = await wedding(room, date(2026, 3, 10))
    tasks = [await job(room, event_id) for _ in range(3)]
    await room.planner.step()
    room.clock.move(days=8)
    await room.scheduler.step()
    (notice,) = await room.notices()
    return event_id, [each.id for each in tasks], notice.data


def tap(data, kind=ActionKind.DONE):
    return Tap(data["firing"], data["action_token"], kind, uuid.uuid4(), device_id=PHONE)


async def done(room, event_id, tasks):
    found = [await room.tasks.get(user(AMINA), event_id, each) for each in tasks]
    return [each.task.done_at is not None for each in found]


async def recalled(room):
    """What is taken back, except on the phone; looking takes it."""
    found = [recall_of(each.payload) for each in await room.taken(RECALL)]
    assert {each.device_id for each in found} <= {PHONE, None}
    return {each.collapse_key for each in found}


async def test_done_is_done_for_each_and_taken_back_elsewhere(anywhere):
    room = anywhere
    event_id, tasks, data = await told_in_one(room)

    acted = await room.acting.act(tap(data))

    assert acted.outcome is ActionOutcome.APPLIED
    assert await done(room, event_id, tasks) == [True] * 3
    assert await recalled(room) == {data["firing"]}


async def test_the_same_id_again_changes_nothing(room):
    event_id, tasks, data = await told_in_one(room)
    asked = tap(data)
    first = await room.acting.act(asked)
    await room.tasks.reopen(user(AMINA), event_id, tasks[0])

    assert await room.acting.act(asked) == first
    assert await done(room, event_id, tasks) == [False, True, True]


async def test_snoozing_is_for_each_that_is_still_there(room):
    event_id, tasks, data = await told_in_one(room)
    await room.tasks.delete(user(AMINA), event_id, tasks[0])
    await room.tasks.complete(user(AMINA), event_id, tasks[1])

    acted = await room.acting.act(tap(data, ActionKind.SNOOZE_1_HOUR))

    sheet = await room.tasks.get(user(AMINA), event_id, tasks[2])
    assert [each.at for each in sheet.task.details.snoozes] == [acted.until]
    assert acted.outcome is ActionOutcome.APPLIED
    assert data["firing"] in await recalled(room)


async def test_when_none_of_them_is_there_any_more_that_is_said(room):
    event_id, tasks, data = await told_in_one(room)
    for each in tasks:
        await room.tasks.delete(user(AMINA), event_id, each)

    with pytest.raises(TaskNotFound):
        await room.acting.act(tap(data))


async def test_it_is_taken_back_with_the_last_of_them(room):
    event_id, tasks, data = await told_in_one(room)
    await room.tasks.complete(user(AMINA), event_id, tasks[0])
    await room.tasks.delete(user(AMINA), event_id, tasks[1])
    before = await recalled(room)

    await room.tasks.complete(user(AMINA), event_id, tasks[2])

    assert before == set()
    assert await recalled(room) == {data["firing"]}


async def test_it_is_taken_back_from_who_leaves_the_event(anywhere):
    room = anywhere
    event_id, _, data = await told_in_one(room)
    await room.events.put_member(user(AMINA), event_id, user_id=BILAL, role=Role.OWNER)

    await room.events.remove_member(user(BILAL), event_id, user_id=AMINA)

    assert await recalled(room) == {data["firing"]}


async def test_the_only_one_that_is_told_late_is_acted_on_and_taken_back_like_several(anywhere):
    """Where there is no digest to tell it."""
    room = anywhere
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ", digest=Digests.OFF)
    event_id = await wedding(room, date(2026, 5, 20))
    late = CalendarLead(Offset(days=3), time(11))
    tasks = [(await job(room, event_id, lead=late, exact=False)).id]
    room.clock.move(days=60)
    await room.planner.step()
    room.clock.move(days=18, hours=12)
    await room.planner.step()
    await room.scheduler.step()
    (notice,) = await room.notices()
    assert (notice.template, notice.data["count"]) == ("task.missed", "1")

    acted = await room.acting.act(tap(notice.data))

    assert acted.outcome is ActionOutcome.APPLIED
    assert await done(room, event_id, tasks) == [True]
    assert await recalled(room) == {notice.data["firing"]}


async def test_a_token_for_all_opens_nothing_under_the_name_of_one(room):
    _, _, data = await told_in_one(room)
    one = {**data, "firing": data["firing"].removesuffix("-with-others")}

    with pytest.raises(ActionTokenInvalid):
        await room.acting.act(tap(one))


async def test_what_was_told_together_is_forgotten_with_the_actions(room):
    await told_in_one(room)
    room.clock.move(seconds=(KEPT + timedelta(days=1)).total_seconds())

    assert await room.forgetting.step() == 3
    assert await room.forgetting.step() == 0
