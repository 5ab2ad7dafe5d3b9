"""Tasks fit the event that they are in: what they hang on is there, and nothing is endless."""

from dataclasses import replace
from datetime import date
from uuid import uuid4

import pytest

from kernel.errors import InvalidInput
from reminders import errors
from reminders.fitting import check_parent
from reminders.types import FromEvent, Offset, Sheet, TaskDetails
from tests.support.factories_reminders import AMINA, event, task, user
from tests.support.weddings import wedding

ABOUT_HENNA = FromEvent(Offset(days=-1), anchor="henna")


async def make(room, event_id, *, due=None, **details):
    return await room.tasks.create(
        user(AMINA), event_id, title="Traiteur", due=due, details=TaskDetails(**details)
    )


async def change(room, task, **changed):
    said = {"title": task.title, "due": task.due, "assignee_id": task.assignee_id, **changed}
    return await room.tasks.update(user(AMINA), task.event_id, task.id, **said)


@pytest.mark.parametrize("said", [{"due": ABOUT_HENNA}, {"opens": ABOUT_HENNA}])
async def test_what_a_task_hangs_on_is_a_part_of_the_event(room, said):
    event_id = await wedding(room)
    with pytest.raises(errors.AnchorNotFound):
        await make(room, event_id, **said)

    await room.parts.put(user(AMINA), event_id, code="henna", day=date(2026, 3, 9))

    assert await make(room, event_id, **said)


async def test_a_task_whose_part_is_gone_can_still_be_changed_in_other_ways(room):
    event_id = await wedding(room)
    await room.parts.put(user(AMINA), event_id, code="henna", day=date(2026, 3, 9))
    task = await make(room, event_id, due=ABOUT_HENNA)
    await room.parts.drop(user(AMINA), event_id, code="henna")

    assert (await change(room, task, title="Gâteau")).title == "Gâteau"
    with pytest.raises(errors.AnchorNotFound):
        await change(room, task, due=replace(ABOUT_HENNA, anchor="fatiha"))


async def test_a_day_on_which_nobody_began_a_plan_is_refused(room):
    with pytest.raises(InvalidInput, match=r"due\.start"):
        await make(room, await wedding(room), due=FromEvent(Offset(), start=date(1, 1, 1)))


async def test_a_task_is_no_part_of_itself_by_no_way_round(room):
    event_id = await wedding(room)
    whole = await make(room, event_id)
    part = await make(room, event_id, parent_id=whole.id)

    for parent in (whole, part):
        with pytest.raises(InvalidInput, match="part of itself"):
            await change(room, whole, details=TaskDetails(parent_id=parent.id))


async def test_parts_of_tasks_are_three_deep_at_most(room):
    event_id = await wedding(room)
    first = await make(room, event_id)
    second = await make(room, event_id, parent_id=first.id)
    third = await make(room, event_id, parent_id=second.id)

    with pytest.raises(InvalidInput, match="3 tasks deep"):
        await make(room, event_id, parent_id=third.id)
    other = await make(room, event_id)
    with pytest.raises(InvalidInput, match="3 tasks deep"):
        await change(room, first, details=TaskDetails(parent_id=other.id))


@pytest.mark.parametrize("changed", ["one of them", "another"])
def test_what_goes_round_in_circles_already_is_too_deep(changed):
    about = event()
    one, other, apart = (task(about) for _ in range(3))
    one = replace(one, details=TaskDetails(parent_id=other.id))
    other = replace(other, details=TaskDetails(parent_id=one.id))
    sheet = Sheet(about, [], [], None, 3, tasks=[one, other, apart])
    asked = {
        "one of them": replace(one, details=TaskDetails(parent_id=apart.id)),
        "another": replace(apart, details=TaskDetails(parent_id=one.id)),
    }

    with pytest.raises(InvalidInput, match="more than 3 tasks deep"):
        check_parent(sheet, asked[changed], seen_by=None)


async def test_nothing_becomes_a_part_of_what_is_not_there(room):
    event_id = await wedding(room)
    gone, task = await make(room, event_id), await make(room, event_id)
    await room.tasks.delete(user(AMINA), event_id, gone.id)

    for parent_id in (gone.id, uuid4()):
        with pytest.raises(errors.TaskNotFound):
            await make(room, event_id, parent_id=parent_id)
        with pytest.raises(errors.TaskNotFound):
            await change(room, task, details=TaskDetails(parent_id=parent_id))
