"""Why a guest is asked for an answer, or is not: told to them and to their hosts."""

from contextlib import nullcontext
from datetime import date, time

import pytest

from kernel.errors import Denied
from kernel.identity import Scope
from reminders.days import MAIN
from reminders.errors import EventNotFound, NotInvited, RoleTooLow
from reminders.guest import Answer
from reminders.tracing import State
from reminders.types import Role
from tests.reminders.test_guests import DJAMEL, ELYES, heard, prepared
from tests.support.factories_reminders import AMINA, BILAL, CELIA, OPTING, server, user


@pytest.fixture
async def wedding(room):
    return await prepared(room)


async def states(room, who, wedding, user_id=DJAMEL):
    explained = await room.explain.of_guest(who, wedding, user_id=user_id, part=MAIN)
    return [(each.state, each.reason) for each in explained.traces]


async def test_hosts_are_told_why_a_guest_is_asked_or_is_not(anywhere):
    room, wedding = anywhere, await prepared(anywhere)
    planned = await states(room, user(AMINA), wedding)
    await heard(room, date(2026, 4, 9), time(12))
    asked = await room.explain.of_guest(user(AMINA), wedding, user_id=DJAMEL, part=MAIN)
    await room.guests.opt_out(OPTING.token(DJAMEL, wedding), everywhere=True)
    opted_out = await states(room, user(AMINA), wedding)
    await room.guests.answer(user(ELYES), wedding, part=MAIN, answer=Answer.NO)
    answered = await states(room, user(AMINA), wedding, ELYES)

    assert planned == [
        (State.PLANNED, "7 days before answers are due"),
        (State.PLANNED, "2 days before answers are due"),
    ]
    assert [each.state for each in asked.traces] == [State.PASSED, State.PLANNED]
    assert {each.zone for each in asked.traces} == {None}
    assert [each.outcome for each in asked.settled] == ["fired"]
    assert asked.told == {}
    assert set(opted_out) == {(State.OFF, "the guest asked to be asked no more")}
    assert set(answered) == {(State.DONE, "the guest has answered: no")}


async def test_without_a_day_to_answer_by_no_guest_is_asked(room, wedding):
    await room.guests.put_deadline(user(AMINA), wedding, part=MAIN, day=None, days=None)

    assert {state for state, _ in await states(room, user(AMINA), wedding)} == {State.NO_DUE}


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        (user(AMINA), None),
        (user(CELIA), None),
        (user(DJAMEL), None),
        (server(), None),
        (user(BILAL), RoleTooLow),
        (user(ELYES), EventNotFound),
        (server(Scope.DEVICES), Denied),
    ],
    ids=["owner", "collaborator", "guest", "server", "vendor", "another guest", "other server"],
)
async def test_why_a_guest_is_asked_is_told_to_them_and_their_hosts(room, wedding, who, refusal):
    for each, role in ((CELIA, Role.COLLABORATOR), (BILAL, Role.VENDOR)):
        await room.events.put_member(user(AMINA), wedding, user_id=each, role=role)

    with pytest.raises(refusal) if refusal else nullcontext():
        assert await states(room, who, wedding)


async def test_of_who_is_not_invited_nothing_is_explained(room, wedding):
    with pytest.raises(NotInvited):
        await room.explain.of_guest(user(AMINA), wedding, user_id=CELIA, part=MAIN)
