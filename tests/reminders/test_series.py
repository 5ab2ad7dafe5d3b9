"""Tasks that come again and tasks that are snoozed, from the use cases to the notice."""

import uuid
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from kernel.errors import InvalidInput
from reminders import errors
from reminders.person import Digests
from reminders.series import begun, dues_of
from reminders.snoozing import OFTEN, WAITING, Later, instant_of_choice, with_snooze
from reminders.times import resolve
from reminders.tracing import State
from reminders.types import AtWall, FromEvent, Offset, OnDay, Recurrence, Role, TaskDetails
from tests.support.clock import START
from tests.support.factories_reminders import (
    AMINA,
    BILAL,
    CELIA,
    HOUR,
    day_before,
    event,
    task,
    user,
)

MONDAY = date(2026, 3, 2)


def weekly(rule="FREQ=WEEKLY", **changes):
    return TaskDetails(recurs=Recurrence(rule, date.min, **changes))


@pytest.fixture
def told(anywhere):
    """Let time pass to an instant and say what was told meanwhile."""

    async def passed(**later):
        anywhere.clock.move(**later)
        await anywhere.planner.step()
        await anywhere.scheduler.step()
        return [notice.variables["when"] for notice in await anywhere.notices()]

    return passed


async def wedding(room, day=None):
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone="Africa/Algiers", day=day, at=None
    )
    return sheet.event.id


async def job(room, event_id, details, due=OnDay(MONDAY)):  # noqa: B008
    task = await room.tasks.create(
        user(AMINA), event_id, title="Point de la semaine", due=due, details=details
    )
    await room.rules.put(
        user(AMINA),
        event_id,
        rule_id=uuid.uuid4(),
        task_id=task.id,
        user_id=AMINA,
        lead=day_before(),
        exact=True,
    )
    return task


async def test_each_occurrence_is_told_once_whether_or_not_the_last_was_done(anywhere, told):
    room = anywhere
    task = await job(room, await wedding(room), weekly(), OnDay(date(2026, 3, 9)))

    assert await told(days=7, minutes=1) == ["Monday 9 March"]
    assert await told(days=7) == ["Monday 16 March"]
    done = await room.tasks.complete(user(AMINA), task.event_id, task.id)
    assert (done.done_at, done.due) == (None, OnDay(date(2026, 3, 16)))
    assert await told(days=7) == ["Monday 23 March"]
    assert await told(days=3) == []


async def test_of_several_that_passed_unseen_the_latest_is_open_next(room):
    task = await job(room, await wedding(room), weekly())
    room.clock.move(days=30)

    done = await room.tasks.complete(user(AMINA), task.event_id, task.id)

    assert (done.due, done.details.recurs.done) == (OnDay(date(2026, 3, 30)), 1)


async def test_a_series_ends_and_its_last_occurrence_can_be_taken_back(room):
    task = await job(room, await wedding(room), weekly("FREQ=WEEKLY;COUNT=2"))
    here = user(AMINA), task.event_id, task.id

    second = await room.tasks.complete(*here)
    over = await room.tasks.complete(*here)
    back = await room.tasks.reopen(*here)

    assert (second.due, second.done_at) == (OnDay(date(2026, 3, 9)), None)
    assert over.done_at is not None
    assert (back.due, back.done_at, back.details.recurs.done) == (second.due, None, 1)


async def test_a_series_can_go_on_from_the_day_on_which_it_was_done(room):
    every = weekly("FREQ=DAILY;INTERVAL=10;COUNT=2", from_completion=True)
    task = await job(room, await wedding(room), every)
    here = user(AMINA), task.event_id, task.id
    room.clock.move(days=4)

    assert (await room.tasks.complete(*here)).due == OnDay(date(2026, 3, 15))
    assert (await room.tasks.complete(*here)).done_at is not None


async def test_an_occurrence_can_be_left_out(room):
    task = await job(room, await wedding(room), weekly(except_on=(date(2026, 3, 9),)))

    done = await room.tasks.complete(user(AMINA), task.event_id, task.id)

    assert done.due == OnDay(date(2026, 3, 16))


@pytest.mark.parametrize(
    ("to", "then"),
    [
        (date(2026, 3, 8), [date(2026, 3, 8), date(2026, 3, 16)]),
        (date(2026, 3, 10), [date(2026, 3, 10), date(2026, 3, 16)]),
        (date(2026, 3, 16), [date(2026, 3, 16), date(2026, 3, 23)]),
    ],
    ids=["a day earlier", "a day later", "to the day of the next"],
)
async def test_an_occurrence_that_is_moved_is_there_once(anywhere, told, to, then):
    room = anywhere
    task = await job(room, await wedding(room), weekly(), OnDay(date(2026, 3, 9)))
    here = user(AMINA), task.event_id, task.id

    await room.tasks.update(*here, title=task.title, due=OnDay(to), assignee_id=None)
    await room.tasks.update(*here, title="Le lundi", due=OnDay(to), assignee_id=None)
    await room.planner.step()

    firings = (await room.firings.upcoming(AMINA, cursor=None, limit=2)).items
    assert [each.nominal_day for each in firings] == then
    assert (await room.tasks.complete(*here)).due == OnDay(then[1])


async def test_an_appointment_that_is_moved_leaves_the_others_at_their_time(anywhere, told):
    room = anywhere
    usual = AtWall(date(2026, 3, 9), time(10), "Africa/Algiers")
    once = AtWall(date(2026, 3, 10), time(12), "Europe/Paris")
    task = await job(room, await wedding(room), weekly(), usual)
    here = user(AMINA), task.event_id, task.id

    await room.tasks.update(*here, title=task.title, due=once, assignee_id=None)
    await room.tasks.update(*here, title="Le lundi", due=once, assignee_id=None)

    assert await told(days=8) == ["Tuesday 10 March at 12:00"]
    assert await told(days=6) == ["Monday 16 March at 10:00"]
    next_one = await room.tasks.complete(*here)
    assert next_one.due == replace(usual, day=date(2026, 3, 16))
    assert (await room.tasks.reopen(*here)).due == once
    assert (await room.tasks.complete(*here)).due == next_one.due


def test_another_time_on_its_own_day_is_that_of_all_that_come():
    details = TaskDetails(recurs=Recurrence("FREQ=WEEKLY", MONDAY))
    usual = replace(task(event(), AtWall(MONDAY, time(10), "Africa/Algiers")), details=details)
    later = replace(usual, due=replace(usual.due, at=time(12)))

    dues = dues_of(begun(later, usual), event(), first=MONDAY, last=date(2026, 3, 9))

    assert [(due.day, due.at) for due in dues] == [
        (MONDAY, time(12)),
        (date(2026, 3, 9), time(12)),
    ]


async def test_an_appointment_keeps_its_wall_time_across_a_change_of_the_clocks(anywhere, told):
    room = anywhere
    due = AtWall(date(2026, 3, 22), time(10), "Europe/Paris")
    await job(room, await wedding(room), weekly(), due)
    await room.people.put(user(AMINA), zone="Europe/Paris", locale="fr-FR")
    await room.planner.step()

    firings = (await room.firings.upcoming(AMINA, cursor=None, limit=3)).items

    assert [firing.due_at.hour for firing in firings] == [8, 8, 7]


async def test_what_is_relative_cannot_come_again(room):
    with pytest.raises(InvalidInput):
        await job(room, await wedding(room), weekly(), FromEvent(Offset()))


async def test_a_part_of_a_task_names_a_task_of_the_same_event(room):
    event_id = await wedding(room)
    task = await job(room, event_id, TaskDetails())

    part = await job(room, event_id, TaskDetails(parent_id=task.id, notes="Salle, traiteur"))

    assert part.details.parent_id == task.id
    with pytest.raises(errors.TaskNotFound):
        await job(room, await wedding(room), TaskDetails(parent_id=task.id))


async def test_a_snooze_is_told_at_its_minute_and_changes_nothing_else(anywhere, told):
    room = anywhere
    task = await job(room, await wedding(room), TaskDetails(), OnDay(date(2026, 3, 9)))
    assert await told(days=7, minutes=1) == ["Monday 9 March"]
    action = uuid.uuid4()
    ask = {"action_id": action, "choice": Later.HOUR}

    at = await room.snoozing.snooze(user(AMINA), task.event_id, task.id, **ask)
    room.clock.move(minutes=5)
    again = await room.snoozing.snooze(user(AMINA), task.event_id, task.id, **ask)

    assert at == again == room.clock.now() + timedelta(minutes=55)
    assert await told(minutes=54) == []
    assert await told(minutes=1) == ["Monday 9 March"]
    assert await told(hours=30) == []


def test_a_day_on_which_it_does_not_come_is_in_no_plan():
    about = event(day=None)
    some = replace(task(about, OnDay(MONDAY)), details=weekly(except_on=(date(2026, 3, 9),)))

    dues = dues_of(begun(some), about, first=MONDAY, last=date(2026, 3, 23))

    assert [due.day for due in dues] == [MONDAY, date(2026, 3, 16), date(2026, 3, 23)]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"choice": Later.HOUR, "until": START + HOUR},
        {"until": START},
        {"until": START - HOUR},
        {"until": START + timedelta(days=366, seconds=1)},
    ],
)
async def test_a_snooze_is_for_one_time_that_is_to_come_within_a_year(room, asked):
    task = await job(room, await wedding(room), TaskDetails())

    with pytest.raises(InvalidInput):
        await room.snoozing.snooze(
            user(AMINA), task.event_id, task.id, action_id=uuid.uuid4(), **asked
        )


@pytest.fixture
async def usual(anywhere):
    """A task of a Wednesday after Ramadan, told a week before and on the day at nine."""
    room = anywhere
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="en", digest=Digests.OFF)
    return await room.tasks.create(
        user(AMINA),
        await wedding(room),
        title="Robe",
        due=OnDay(date(2026, 4, 8)),
        details=TaskDetails(usual=True),
    )


async def test_what_is_usual_is_not_said_beside_a_snooze(anywhere, told, usual):
    room, here = anywhere, (user(AMINA), usual.event_id, usual.id)
    await told(days=37)

    await room.snoozing.snooze(*here, action_id=uuid.uuid4(), choice=Later.TOMORROW)
    traces = (await room.explain.of(*here)).traces

    on_the_day = next(each for each in traces if each.lead == "on the day at 09:00")
    assert on_the_day.state is State.MERGED
    assert on_the_day.reason == "the user asked to be told again within hours"
    assert await told(hours=24, minutes=5) == ["Wednesday 8 April"]


async def test_what_a_snooze_took_the_place_of_does_not_come_after_it(anywhere, told, usual):
    room, here = anywhere, (user(AMINA), usual.event_id, usual.id)
    await told(days=37)
    await room.snoozing.snooze(*here, action_id=uuid.uuid4(), choice=Later.TOMORROW)
    assert await told(hours=24, minutes=2) == ["Wednesday 8 April"]

    await room.snoozing.snooze(*here, action_id=uuid.uuid4(), choice=Later.TOMORROW)

    assert await told(minutes=9) == []
    assert await told(hours=5) == []


async def test_a_snooze_far_away_leaves_the_day_alone(anywhere, told, usual):
    room, here = anywhere, (user(AMINA), usual.event_id, usual.id)
    await told(days=37)

    await room.snoozing.snooze(*here, action_id=uuid.uuid4(), choice=Later.HOUR)

    assert len(await told(hours=2)) == 1
    assert len(await told(hours=22, minutes=5)) == 1


async def test_a_snooze_takes_nothing_away_that_waits(room):
    task = await job(room, await wedding(room), TaskDetails(), OnDay(date(2026, 3, 9)))
    await room.planner.step()
    before = await room.firings.upcoming(AMINA, cursor=None, limit=9)
    assert before.items

    await room.snoozing.snooze(
        user(AMINA), task.event_id, task.id, action_id=uuid.uuid4(), choice=Later.HOUR
    )

    assert await room.firings.upcoming(AMINA, cursor=None, limit=9) == before


async def test_done_ends_a_snooze(anywhere, told):
    room = anywhere
    task = await job(room, await wedding(room), TaskDetails(), None)
    here = user(AMINA), task.event_id, task.id
    await room.snoozing.snooze(*here, action_id=uuid.uuid4(), choice=Later.MINUTES)
    await room.planner.step()

    await room.tasks.complete(*here)

    assert await told(minutes=21) == []


async def test_a_later_snooze_takes_the_place_of_an_earlier_and_there_is_an_end(room):
    task = await job(room, await wedding(room), TaskDetails())
    here = user(AMINA), task.event_id, task.id
    for _ in range(OFTEN):
        await room.snoozing.snooze(*here, action_id=uuid.uuid4(), choice=Later.TOMORROW)

    found = (await room.tasks.get(*here)).task
    assert [each.number for each in found.details.snoozes] == [OFTEN]
    with pytest.raises(errors.SnoozedTooOften):
        await room.snoozing.snooze(*here, action_id=uuid.uuid4(), choice=Later.TOMORROW)


def test_each_user_snoozes_for_oneself():
    asked = {"asked_at": START, "others": 0}
    hers = with_snooze(task(event()), AMINA, action_id=uuid.uuid4(), at=START + HOUR, **asked)

    both = with_snooze(hers, BILAL, action_id=uuid.uuid4(), at=START + 2 * HOUR, **asked)

    assert {each.user_id: each.at for each in both.details.snoozes} == {
        AMINA: START + HOUR,
        BILAL: START + 2 * HOUR,
    }


def test_there_is_an_end_to_how_many_tasks_wait_for_being_told_again():
    asked = {"action_id": uuid.uuid4(), "at": START + HOUR, "asked_at": START}
    one = task(event())
    snoozed = with_snooze(one, AMINA, **asked, others=WAITING - 1)

    for each in (one, snoozed):
        with pytest.raises(errors.SnoozedTooOften):
            with_snooze(each, AMINA, **asked, others=WAITING)
    assert with_snooze(snoozed, AMINA, **asked, others=WAITING - 1).details.snoozes


async def test_who_is_not_in_the_event_or_does_not_see_the_task_cannot_snooze(room):
    event_id = await wedding(room)
    task = await job(room, event_id, TaskDetails())
    await room.events.put_member(user(AMINA), event_id, user_id=CELIA, role=Role.GUEST)
    ask = {"action_id": uuid.uuid4(), "choice": Later.HOUR}

    with pytest.raises(errors.EventNotFound):
        await room.snoozing.snooze(user(BILAL), event_id, task.id, **ask)
    with pytest.raises(errors.TaskNotFound):
        await room.snoozing.snooze(user(CELIA), event_id, task.id, **ask)


@pytest.mark.parametrize(
    ("choice", "asked", "expected"),
    [
        (Later.EVENING, "2026-03-06T12:00", "2026-03-06T18:00"),
        (Later.EVENING, "2026-03-06T18:00", "2026-03-07T09:00"),
        (Later.TOMORROW, "2026-03-06T12:00", "2026-03-07T09:00"),
        (Later.SATURDAY, "2026-03-06T12:00", "2026-03-07T10:00"),
        (Later.SATURDAY, "2026-03-07T08:00", "2026-03-14T10:00"),
    ],
)
def test_later_is_on_the_users_own_wall_and_always_to_come(choice, asked, expected):
    zone = "Africa/Algiers"

    at = instant_of_choice(choice, resolve(datetime.fromisoformat(asked), zone), zone)

    assert at == resolve(datetime.fromisoformat(expected), zone)
