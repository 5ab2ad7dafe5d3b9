"""Acting on a reminder with the token that came with its push, over each database."""

import asyncio
import uuid
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from kernel.errors import Denied
from kernel.notices import RECALL, recall_of
from reminders.acting import Tap
from reminders.action import ActionKind, ActionOutcome
from reminders.adapters.action_rows import ACTIONS
from reminders.errors import (
    ActionTokenExpired,
    ActionTokenInvalid,
    EventCancelled,
    EventNotFound,
    IdTaken,
    RoleTooLow,
    TaskNotFound,
)
from reminders.forgetting import Forgetting
from reminders.types import FromEvent, Offset, OnDay, Recurrence, Role, TaskDetails
from tests.support.clock import START
from tests.support.factories_reminders import AMINA, BILAL, CELIA, SIGNER, day_before, user
from tests.support.metrics import value_of

WEDDING = date(2026, 3, 10)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def recalls(anywhere):
    """The recalls that wait; looking takes them."""

    async def taken():
        return [recall_of(entry.payload) for entry in await anywhere.taken(RECALL)]

    return taken


@pytest.fixture
async def told(anywhere):
    """Amina, Bilal and Célia are told of one task on the day before; their notices' data."""
    room = anywhere
    made = await room.events.create(
        user(AMINA), title="زفاف", zone="Africa/Algiers", day=WEDDING, at=None
    )
    event_id = made.event.id
    for other, role in ((BILAL, Role.COLLABORATOR), (CELIA, Role.GUEST)):
        await room.events.put_member(user(AMINA), event_id, user_id=other, role=role)
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
    anywhere, told, recalls, metrics
):
    device = uuid.uuid4()
    acted = await anywhere.acting.act(tap(told[AMINA], device_id=device))

    assert acted.outcome is ActionOutcome.APPLIED
    assert (await the_task(anywhere, told[AMINA])).done_at == anywhere.clock.now()
    taken_back = await recalls()
    assert {each.user_id: each.collapse_key for each in taken_back} == {
        who: data["firing"] for who, data in told.items()
    }
    assert {each.device_id for each in taken_back} == {device}
    name = "reminders_actions_total"
    assert value_of(metrics, name, action="done", outcome="applied") == 1


async def test_the_same_action_twice_is_one_and_answers_the_same(anywhere, told):
    asked = tap(told[AMINA], ActionKind.SNOOZE_1_HOUR)
    first = await anywhere.acting.act(asked)
    anywhere.clock.move(minutes=5)

    assert await anywhere.acting.act(asked) == first

    (snooze,) = (await the_task(anywhere, told[AMINA])).details.snoozes
    assert (snooze.number, snooze.at) == (1, first.until)


async def test_the_same_action_at_the_same_time_is_one(anywhere, told, database):
    asked = tap(told[AMINA], ActionKind.SNOOZE_20_MINUTES)

    answers = await asyncio.gather(*(anywhere.acting.act(asked) for _ in range(6)))

    assert len(set(answers)) == 1
    async with database.reading() as connection:
        counting = sa.select(sa.func.count()).select_from(ACTIONS)
        assert (await connection.execute(counting)).scalar_one() == 1
    (snooze,) = (await the_task(anywhere, told[AMINA])).details.snoozes
    assert snooze.number == 1


async def test_a_replay_after_the_task_was_reopened_does_not_complete_it_again(anywhere, told):
    asked = tap(told[AMINA])
    first = await anywhere.acting.act(asked)
    data = told[AMINA]
    await anywhere.tasks.reopen(
        user(AMINA), uuid.UUID(data["event_id"]), uuid.UUID(data["task_id"])
    )

    assert await anywhere.acting.act(asked) == first
    assert (await the_task(anywhere, data)).done_at is None


async def test_what_was_done_before_is_said_to_be(anywhere, told):
    await anywhere.acting.act(tap(told[AMINA]))

    for kind in ActionKind:
        again = await anywhere.acting.act(tap(told[BILAL], kind))
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
async def test_snoozing_tells_that_person_again_then(anywhere, told, recalls, kind, until):
    acted = await anywhere.acting.act(tap(told[AMINA], kind))

    assert acted.until == until
    recalled = [each.user_id for each in await recalls()]
    assert recalled == [AMINA]
    await anywhere.planner.step()
    anywhere.clock.move(seconds=(until - anywhere.clock.now()).total_seconds())
    await anywhere.scheduler.step()
    again = [each for each in await anywhere.notices() if each.user_ids == (AMINA,)]
    assert [each.data["task_id"] for each in again] == [told[AMINA]["task_id"]]


async def test_opening_takes_it_back_elsewhere_and_changes_nothing_else(anywhere, told, recalls):
    before = await the_task(anywhere, told[CELIA])

    acted = await anywhere.acting.act(tap(told[CELIA], ActionKind.OPEN))

    assert acted.outcome is ActionOutcome.APPLIED
    assert await the_task(anywhere, told[CELIA]) == before
    assert [each.user_id for each in await recalls()] == [CELIA]


# Who may, and with what.


@pytest.mark.parametrize(("who", "work"), [(AMINA, None), (BILAL, None), (CELIA, RoleTooLow)])
async def test_a_token_lets_its_person_do_what_their_role_does(anywhere, told, who, work):
    for kind in (ActionKind.SNOOZE_1_HOUR, ActionKind.DONE):
        if work is None:
            assert (await anywhere.acting.act(tap(told[who], kind))).user_id == who
        else:
            with pytest.raises(work):
                await anywhere.acting.act(tap(told[who], kind))


async def _leave(room, data):
    await room.events.remove_member(user(AMINA), uuid.UUID(data["event_id"]), user_id=BILAL)


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
        (_cancel, EventCancelled),
        (_delete, TaskNotFound),
        (_revoke, Denied),
        (_wait, ActionTokenExpired),
    ],
)
async def test_what_is_no_longer_so_is_refused_and_changes_nothing(
    anywhere, told, meanwhile, refusal
):
    await meanwhile(anywhere, told[BILAL])
    before = await the_task(anywhere, told[BILAL])

    for kind in (ActionKind.DONE, ActionKind.SNOOZE_1_HOUR):
        with pytest.raises(refusal):
            await anywhere.acting.act(tap(told[BILAL], kind))

    assert await the_task(anywhere, told[BILAL]) == before


async def test_a_forged_token_or_one_of_another_reminder_is_refused(anywhere, told, metrics):
    before = await the_task(anywhere, told[AMINA])
    for wrong in (
        tap(told[AMINA], token="forged"),
        tap(told[AMINA], token=told[BILAL]["action_token"]),
        tap(told[AMINA], token=told[AMINA]["action_token"][:-2] + "AA"),
        tap(told[AMINA], firing=told[BILAL]["firing"]),
    ):
        with pytest.raises(ActionTokenInvalid):
            await anywhere.acting.act(wrong)

    assert await the_task(anywhere, told[AMINA]) == before
    assert value_of(metrics, "reminders_action_tokens_refused_total") == 4


async def test_an_id_belongs_to_one_action_of_a_person(anywhere, told):
    asked = tap(told[AMINA], ActionKind.SNOOZE_1_HOUR)
    await anywhere.acting.act(asked)

    with pytest.raises(IdTaken):
        await anywhere.acting.act(replace(asked, kind=ActionKind.DONE))
    other = tap(told[BILAL], ActionKind.SNOOZE_1_HOUR, action_id=asked.action_id)
    assert (await anywhere.acting.act(other)).outcome is ActionOutcome.APPLIED


# What comes late.


async def test_what_was_tapped_offline_counts_from_when_it_was_tapped(anywhere, told):
    tapped = anywhere.clock.now() + MINUTE
    anywhere.clock.move(minutes=30)

    acted = await anywhere.acting.act(tap(told[AMINA], ActionKind.SNOOZE_1_HOUR, at=tapped))
    done = await anywhere.acting.act(tap(told[AMINA], at=tapped))

    assert acted.until == tapped + timedelta(hours=1)
    assert done.asked_at == (await the_task(anywhere, told[AMINA])).done_at == tapped


@pytest.mark.parametrize("at", [START, START + timedelta(days=300)])
async def test_a_phones_clock_is_believed_between_then_and_now(anywhere, told, at):
    acted = await anywhere.acting.act(tap(told[AMINA], at=at))

    assert acted.asked_at == anywhere.clock.now()


async def test_a_snooze_whose_time_has_come_meanwhile_is_told_at_once_or_not_at_all(anywhere, told):
    tapped = anywhere.clock.now()
    anywhere.clock.move(hours=2)
    soon = await anywhere.acting.act(tap(told[AMINA], ActionKind.SNOOZE_1_HOUR, at=tapped))
    anywhere.clock.move(days=2)
    late = await anywhere.acting.act(tap(told[BILAL], ActionKind.SNOOZE_1_HOUR, at=tapped))

    assert (soon.outcome, soon.until) == (ActionOutcome.APPLIED, tapped + timedelta(hours=2))
    assert (late.outcome, late.until) == (ActionOutcome.LATE, None)


async def test_of_two_snoozes_the_one_tapped_last_counts(anywhere, told):
    tapped = anywhere.clock.now()
    anywhere.clock.move(minutes=10)
    last = await anywhere.acting.act(tap(told[AMINA], ActionKind.SNOOZE_TOMORROW))

    first = await anywhere.acting.act(tap(told[AMINA], ActionKind.SNOOZE_1_HOUR, at=tapped))

    assert first.outcome is ActionOutcome.LATE
    (snooze,) = (await the_task(anywhere, told[AMINA])).details.snoozes
    assert snooze.at == last.until


async def test_what_was_reopened_after_it_was_tapped_stays_open(anywhere, told):
    data, tapped = told[AMINA], anywhere.clock.now()
    where = uuid.UUID(data["event_id"]), uuid.UUID(data["task_id"])
    anywhere.clock.move(minutes=1)
    await anywhere.tasks.complete(user(AMINA), *where)
    anywhere.clock.move(minutes=1)
    await anywhere.tasks.reopen(user(AMINA), *where)
    anywhere.clock.move(minutes=1)

    late = await anywhere.acting.act(tap(told[BILAL], at=tapped))

    assert late.outcome is ActionOutcome.LATE
    assert (await the_task(anywhere, data)).done_at is None
    assert (await anywhere.acting.act(tap(told[BILAL]))).outcome is ActionOutcome.APPLIED


async def test_a_token_is_about_one_occurrence_of_what_comes_again(anywhere):
    room = anywhere
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


async def test_an_action_is_remembered_for_a_month(anywhere, told):
    forgetting = Forgetting(store=anywhere.calendar, clock=anywhere.clock)
    acted = await anywhere.acting.act(tap(told[AMINA]))

    assert await forgetting.step() == 0
    anywhere.clock.move(days=31)
    assert await forgetting.step() == 1

    assert await anywhere.calendar.acted(AMINA, acted.action_id) is None
