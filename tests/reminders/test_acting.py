"""Acting on a reminder with the token that came with its push."""

import asyncio
import uuid
from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from kernel.errors import Denied
from kernel.notices import RECALL, recall_of
from reminders.acting import Tap
from reminders.action import ActionKind, ActionOutcome
from reminders.errors import (
    ActionTokenExpired,
    ActionTokenInvalid,
    EventCancelled,
    EventNotFound,
    IdTaken,
    TaskNotFound,
)
from reminders.types import CalendarLead, FromEvent, Offset, OnDay, Recurrence, Role, TaskDetails
from tests.support.clock import START
from tests.support.factories_reminders import AMINA, BILAL, CELIA, SIGNER, day_before, user
from tests.support.metrics import value_of
from tests.support.weddings import job, wedding

WEDDING = date(2026, 3, 10)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def recalls(room):
    """The recalls that wait; looking takes them."""

    async def taken():
        return [recall_of(entry.payload) for entry in await room.taken(RECALL)]

    return taken


@pytest.fixture
async def told(room):
    """Amina, Bilal and Célia are told of one task on the day before; their notices' data."""
    made = await room.events.create(
        user(AMINA), title="زفاف", zone="Africa/Algiers", day=WEDDING, at=None
    )
    event_id = made.event.id
    for other in (BILAL, CELIA):
        await room.events.put_member(user(AMINA), event_id, user_id=other, role=Role.COLLABORATOR)
    task = await room.tasks.create(user(AMINA), event_id, title="القاعة", due=FromEvent(Offset()))
    for who in (AMINA, BILAL, CELIA):
        await room.rules.put(
            user(AMINA),
            event_id,
            rule_id=uuid.uuid4(),
            task_id=task.id,
            user_id=who,
            lead=day_before(),
            exact=True,
        )
    return await going_off(room)


async def going_off(room):
    await room.planner.step()
    room.clock.move(days=8)
    await room.scheduler.step()
    return {notice.user_ids[0]: dict(notice.data) for notice in await room.notices()}


def tap(data, kind=ActionKind.DONE, **changes):
    return replace(Tap(data["firing"], data["action_token"], kind, uuid.uuid4()), **changes)


async def the_task(room, data):
    sheet = await room.calendar.sheet(
        uuid.UUID(data["event_id"]), task_id=uuid.UUID(data["task_id"])
    )
    return sheet.task


async def test_done_from_the_push_is_done_and_taken_back_from_everybody(
    room, told, recalls, metrics
):
    device = uuid.uuid4()
    acted = await room.acting.act(tap(told[AMINA], device_id=device))

    assert acted.outcome is ActionOutcome.APPLIED
    assert (await the_task(room, told[AMINA])).done_at == room.clock.now()
    taken_back = await recalls()
    assert {each.user_id: each.collapse_key for each in taken_back} == {
        who: data["firing"] for who, data in told.items()
    }
    assert {each.device_id for each in taken_back} == {device}
    name = "reminders_actions_total"
    assert value_of(metrics, name, action="done", outcome="applied") == 1


async def test_the_same_action_twice_is_one_and_answers_the_same(room, told):
    asked = tap(told[AMINA], ActionKind.SNOOZE_1_HOUR)
    first = await room.acting.act(asked)
    room.clock.move(minutes=5)

    assert await room.acting.act(asked) == first

    (snooze,) = (await the_task(room, told[AMINA])).details.snoozes
    assert (snooze.number, snooze.at) == (1, first.until)


async def test_the_same_action_twice_at_once_is_one_and_answers_the_same(anywhere):
    room = anywhere
    await job(room, await wedding(room))
    data = (await going_off(room))[AMINA]
    asked = tap(data, ActionKind.SNOOZE_1_HOUR)

    first, *others = await asyncio.gather(*(room.acting.act(asked) for _ in range(4)))

    assert others == [first] * 3
    (snooze,) = (await the_task(room, data)).details.snoozes
    assert snooze.number == 1


async def test_a_replay_after_the_task_was_reopened_does_not_complete_it_again(room, told):
    asked = tap(told[AMINA])
    first = await room.acting.act(asked)
    data = told[AMINA]
    await room.tasks.reopen(user(AMINA), uuid.UUID(data["event_id"]), uuid.UUID(data["task_id"]))

    assert await room.acting.act(asked) == first
    assert (await the_task(room, data)).done_at is None


@pytest.mark.parametrize("kind", sorted(set(ActionKind) - {ActionKind.DONE}))
async def test_whatever_is_not_done_goes_on_being_told(room, told, kind):
    await room.rules.put(
        user(AMINA),
        uuid.UUID(told[AMINA]["event_id"]),
        rule_id=uuid.uuid4(),
        task_id=uuid.UUID(told[AMINA]["task_id"]),
        user_id=AMINA,
        lead=CalendarLead(Offset(), time(18)),
        exact=True,
    )
    await room.planner.step()
    before = await room.firings.upcoming(AMINA, cursor=None, limit=9)
    assert before.items

    await room.acting.act(tap(told[AMINA], kind))

    assert await room.firings.upcoming(AMINA, cursor=None, limit=9) == before


async def test_what_was_done_before_is_said_to_be(room, told):
    await room.acting.act(tap(told[AMINA]))

    for kind in ActionKind:
        again = await room.acting.act(tap(told[BILAL], kind))
        assert again.outcome is ActionOutcome.ALREADY_DONE


@pytest.mark.parametrize(
    ("kind", "until"),
    [
        (ActionKind.SNOOZE_20_MINUTES, START + timedelta(days=8, minutes=20)),
        (ActionKind.SNOOZE_1_HOUR, START + timedelta(days=8, hours=1)),
        (ActionKind.SNOOZE_THIS_EVENING, START + timedelta(days=8, hours=9)),
        (ActionKind.SNOOZE_TOMORROW, START + timedelta(days=9)),
    ],
)
async def test_snoozing_tells_that_person_again_then(room, told, recalls, kind, until):
    acted = await room.acting.act(tap(told[AMINA], kind))

    assert acted.until == until
    recalled = [each.user_id for each in await recalls()]
    assert recalled == [AMINA]
    await room.planner.step()
    room.clock.move(seconds=(until - room.clock.now()).total_seconds())
    await room.scheduler.step()
    again = [each for each in await room.notices() if each.user_ids == (AMINA,)]
    assert [each.data["task_id"] for each in again] == [told[AMINA]["task_id"]]


async def test_opening_takes_it_back_elsewhere_and_changes_nothing_else(room, told, recalls):
    before = await the_task(room, told[CELIA])

    acted = await room.acting.act(tap(told[CELIA], ActionKind.OPEN))

    assert acted.outcome is ActionOutcome.APPLIED
    assert await the_task(room, told[CELIA]) == before
    assert [each.user_id for each in await recalls()] == [CELIA]


# Who may, and with what.


@pytest.mark.parametrize("who", [AMINA, BILAL, CELIA])
async def test_a_token_lets_its_person_do_what_their_role_does(room, told, who):
    for kind in (ActionKind.SNOOZE_1_HOUR, ActionKind.DONE):
        assert (await room.acting.act(tap(told[who], kind))).user_id == who


async def _leave(room, data):
    await room.events.remove_member(user(AMINA), uuid.UUID(data["event_id"]), user_id=BILAL)


async def _demote(room, data):
    await room.events.put_member(
        user(AMINA), uuid.UUID(data["event_id"]), user_id=BILAL, role=Role.VENDOR
    )


async def _cancel(room, data):
    await room.events.cancel(user(AMINA), uuid.UUID(data["event_id"]))


async def _delete(room, data):
    await room.tasks.delete(user(AMINA), uuid.UUID(data["event_id"]), uuid.UUID(data["task_id"]))


async def _revoke(room, _data):
    room.standing.revoked[BILAL] = room.clock.now()


async def _wait(room, _data):
    room.clock.move(days=7)


@pytest.mark.parametrize(
    ("meanwhile", "refusal"),
    [
        (_leave, EventNotFound),
        (_demote, TaskNotFound),
        (_cancel, EventCancelled),
        (_delete, TaskNotFound),
        (_revoke, Denied),
        (_wait, ActionTokenExpired),
    ],
)
async def test_what_is_no_longer_so_is_refused_and_changes_nothing(room, told, meanwhile, refusal):
    await meanwhile(room, told[BILAL])
    before = await the_task(room, told[BILAL])

    for kind in (ActionKind.DONE, ActionKind.SNOOZE_1_HOUR):
        with pytest.raises(refusal):
            await room.acting.act(tap(told[BILAL], kind))

    assert await the_task(room, told[BILAL]) == before


async def test_a_forged_token_or_one_of_another_reminder_is_refused(room, told, metrics):
    before = await the_task(room, told[AMINA])
    for wrong in (
        tap(told[AMINA], token="forged"),
        tap(told[AMINA], token=told[BILAL]["action_token"]),
        tap(told[AMINA], token=told[AMINA]["action_token"][:-8] + "A" * 8),
        tap(told[AMINA], firing=told[BILAL]["firing"]),
    ):
        with pytest.raises(ActionTokenInvalid):
            await room.acting.act(wrong)

    assert await the_task(room, told[AMINA]) == before
    assert value_of(metrics, "reminders_action_tokens_refused_total") == 4


async def test_an_id_belongs_to_one_action_of_a_person(room, told):
    asked = tap(told[AMINA], ActionKind.SNOOZE_1_HOUR)
    await room.acting.act(asked)

    with pytest.raises(IdTaken):
        await room.acting.act(replace(asked, kind=ActionKind.DONE))
    other = tap(told[BILAL], ActionKind.SNOOZE_1_HOUR, action_id=asked.action_id)
    assert (await room.acting.act(other)).outcome is ActionOutcome.APPLIED


# What comes late.


async def test_what_was_tapped_offline_counts_from_when_it_was_tapped(room, told):
    tapped = room.clock.now() + MINUTE
    room.clock.move(minutes=30)

    acted = await room.acting.act(tap(told[AMINA], ActionKind.SNOOZE_1_HOUR, at=tapped))
    done = await room.acting.act(tap(told[AMINA], at=tapped))

    assert acted.until == tapped + timedelta(hours=1)
    assert done.asked_at == (await the_task(room, told[AMINA])).done_at == tapped


@pytest.mark.parametrize("at", [START, START + timedelta(days=300)])
async def test_a_phones_clock_is_believed_between_then_and_now(room, told, at):
    acted = await room.acting.act(tap(told[AMINA], at=at))

    assert acted.asked_at == room.clock.now()


async def test_a_snooze_whose_time_has_come_meanwhile_is_told_at_once_or_not_at_all(room, told):
    tapped = room.clock.now()
    room.clock.move(hours=2)
    soon = await room.acting.act(tap(told[AMINA], ActionKind.SNOOZE_1_HOUR, at=tapped))
    room.clock.move(days=2)
    late = await room.acting.act(tap(told[BILAL], ActionKind.SNOOZE_1_HOUR, at=tapped))

    assert (soon.outcome, soon.until) == (ActionOutcome.APPLIED, tapped + timedelta(hours=2))
    assert (late.outcome, late.until) == (ActionOutcome.LATE, None)


async def test_of_two_snoozes_the_one_tapped_last_counts(room, told):
    tapped = room.clock.now()
    room.clock.move(minutes=10)
    last = await room.acting.act(tap(told[AMINA], ActionKind.SNOOZE_TOMORROW))

    first = await room.acting.act(tap(told[AMINA], ActionKind.SNOOZE_1_HOUR, at=tapped))

    assert first.outcome is ActionOutcome.LATE
    (snooze,) = (await the_task(room, told[AMINA])).details.snoozes
    assert snooze.at == last.until


async def test_what_was_reopened_after_it_was_tapped_stays_open(room, told):
    data, tapped = told[AMINA], room.clock.now()
    where = uuid.UUID(data["event_id"]), uuid.UUID(data["task_id"])
    room.clock.move(minutes=1)
    await room.tasks.complete(user(AMINA), *where)
    room.clock.move(minutes=1)
    await room.tasks.reopen(user(AMINA), *where)
    room.clock.move(minutes=1)

    late = await room.acting.act(tap(told[BILAL], at=tapped))

    assert late.outcome is ActionOutcome.LATE
    assert (await the_task(room, data)).done_at is None
    assert (await room.acting.act(tap(told[BILAL]))).outcome is ActionOutcome.APPLIED


async def test_a_token_is_about_one_occurrence_of_what_comes_again(room):
    made = await room.events.create(
        user(AMINA), title="زفاف", zone="Africa/Algiers", day=WEDDING, at=None
    )
    weekly = TaskDetails(recurs=Recurrence("FREQ=WEEKLY", WEDDING))
    task = await room.tasks.create(
        user(AMINA), made.event.id, title="Point", due=OnDay(WEDDING), details=weekly
    )
    await room.rules.put(
        user(AMINA),
        made.event.id,
        rule_id=uuid.uuid4(),
        task_id=task.id,
        user_id=None,
        lead=day_before(),
        exact=True,
    )
    data = (await going_off(room))[AMINA]

    first = await room.acting.act(tap(data))
    again = await room.acting.act(tap(data))

    assert (first.outcome, again.outcome) == (ActionOutcome.APPLIED, ActionOutcome.ALREADY_DONE)
    assert (await the_task(room, data)).due == OnDay(WEDDING + timedelta(days=7))
    assert SIGNER.grant(data["action_token"]).day == WEDDING


async def test_an_action_is_remembered_for_a_month(room, told):
    acted = await room.acting.act(tap(told[AMINA]))

    assert await room.forgetting.step() == 0
    room.clock.move(days=31)
    assert await room.forgetting.step() == 1

    assert await room.calendar.acted(AMINA, acted.action_id) is None


async def test_one_tap_and_nothing_more_is_said_when_it_is_overdue(room, told, recalls):
    acted = await room.acting.act(tap(told[AMINA], ActionKind.STOP_REMINDING))

    assert acted.outcome is ActionOutcome.APPLIED
    (choice,) = (await the_task(room, told[AMINA])).details.choices
    assert (choice.user_id, choice.usual, choice.nag) == (AMINA, None, False)
    assert [each.user_id for each in await recalls()] == [AMINA]
