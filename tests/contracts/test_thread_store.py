"""What is promised of busy threads, on every database."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa

from kernel.notices import Urgency, Withdrawal
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.sql_threads import COALESCED, READ, SqlThreads
from notifications.coalescing.withdrawals import dismissal
from notifications.policy import settlement_of
from notifications.pushes import PushState
from notifications.types import Outcome, Route, ThrottleScope, Verdict
from tests.support.factories_notifications import (
    AMINA,
    KARIM,
    Room,
    apns,
    claimed,
    notice,
    registration,
)

LEASE = timedelta(seconds=60)
WORDS = {"sender": "lina", "text": "salam", "conversation": ""}


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def store(database):
    return SqlThreads(database)


def message(place, *user_ids, thread="t", **changes):
    return notice(
        *(user_ids or (AMINA,)),
        key=f"{thread}-{place}",
        template="chat.message",
        variables={**WORDS, "text": f"message {place}"},
        thread=thread,
        collapse_key=thread,
        place=place,
        coalesces=True,
        **changes,
    )


async def taken(room, route=Route.FCM):
    """What is claimed now: how many messages each push stands for, and what it says."""
    claim = await room.pushes.claim(
        route, Urgency.INTERACTIVE, now=room.clock.now(), lease=LEASE, limit=100
    )
    return [
        (
            int(attempt.content.data.get("count", "1")),
            attempt.content.body.replace("\u2068", "").replace("\u2069", ""),
        )
        for _, attempt in claim.pushes
    ]


async def reasons(room):
    counting = sa.select(PUSHES.c.reason, sa.func.count()).group_by(PUSHES.c.reason)
    async with room.database.reading() as connection:
        return {reason: n for reason, n in await connection.execute(counting) if reason}


async def withdraw(store, room, *withdrawals, badges=None):
    def dismiss(withdrawal, devices):
        return dismissal(withdrawal, devices, badges=badges, now=room.clock.now())

    return await store.withdraw(withdrawals, now=room.clock.now(), dismiss=dismiss)


async def test_however_many_relays_hand_over_every_message_is_counted_once(room, clock):
    await room.register(AMINA, registration())
    await room.tell(message(1))
    assert len(await taken(room)) == 1

    await asyncio.gather(*(room.tell(message(place)) for place in range(2, 14)))
    clock.move(seconds=30)

    [(count, body)] = await taken(room)
    assert count == 12
    assert "12 nouveaux messages" in body
    assert await reasons(room) == {COALESCED: 11}


async def test_whichever_relay_is_last_the_newest_message_is_told(room, clock):
    await room.register(AMINA, registration())
    await room.tell(message(1))
    assert len(await taken(room)) == 1

    for place in (3, 6, 2, 5, 4):
        await room.tell(message(place))
    clock.move(seconds=30)

    [(count, body)] = await taken(room)
    assert (count, body.rpartition(" ")[2]) == (5, "6")


async def test_relays_side_by_side_never_tell_of_an_older_message(room, clock):
    await room.register(AMINA, registration())
    places = list(range(1, 25))
    random.Random(7).shuffle(places)

    await asyncio.gather(*(room.tell(message(place)) for place in places))
    await asyncio.gather(*(room.tell(message(place)) for place in places))

    [(count, body)] = await taken(room)
    assert count == len(places)
    assert body.endswith("message 24")


async def test_what_comes_after_a_newer_one_left_is_told_in_its_words(room, clock):
    """A relay died with the second message in hand; another told of the third."""
    await room.register(AMINA, registration())
    await room.tell(message(1))
    await taken(room)
    clock.move(minutes=1)
    await room.tell(message(3))
    assert [body for _, body in await taken(room)] == ["message 3"]

    await room.tell(message(2))
    clock.move(seconds=30)

    assert await taken(room) == [(1, "message 3")]


async def test_words_of_another_template_are_not_said_in_a_notices_stead(room, clock):
    await room.register(AMINA, registration())
    await room.tell(message(1))
    await taken(room)
    clock.move(minutes=1)
    words = {"title": "a", "body": "b"}
    other = msgspec.structs.replace(message(3), template="announcement", variables=words)
    await room.tell(other)
    await taken(room)

    await room.tell(message(2))
    clock.move(seconds=30)

    assert await taken(room) == [(1, "message 2")]


async def answered(room, outcome, *, route=Route.FCM):
    """Claim what is due, and let a provider answer it like this."""
    now = room.clock.now()
    claim = await room.pushes.claim(route, Urgency.INTERACTIVE, now=now, lease=LEASE, limit=100)
    settled = [
        settlement_of(push, outcome, now=now, dice=lambda low, high: high)
        for push, _ in claim.pushes
    ]
    await room.pushes.settle(settled, now=now)
    return len(settled)


async def test_what_failed_for_now_gives_way_to_the_next_message(room, clock):
    """Its count is not lost, and the provider is left alone for as long as it wants to be."""
    await room.register(AMINA, registration())
    await room.tell(message(1))
    outcome = Outcome(
        Verdict.THROTTLED, "QUOTA_EXCEEDED", retry_after=90.0, scope=ThrottleScope.DEVICE
    )
    assert await answered(room, outcome) == 1
    clock.move(seconds=5)

    await room.tell(message(2))

    clock.move(seconds=80)
    assert await taken(room) == []
    clock.move(seconds=5)
    [(count, body)] = await taken(room)
    assert (count, body.rpartition(" ")[2]) == (2, "2")
    assert await reasons(room) == {COALESCED: 1}


@pytest.mark.parametrize("another_waits", [False, True])
async def test_a_doubtful_push_never_takes_the_place_of_what_was_told_later(
    room, clock, another_waits
):
    """Its dispatcher died; when that is noticed the device shows a newer message."""
    await room.register(AMINA, registration())
    await room.tell(message(1))
    assert len(await taken(room)) == 1
    clock.move(seconds=60)
    await room.tell(message(2))
    assert [body for _, body in await taken(room)] == ["message 2"]
    if another_waits:
        await room.tell(message(3))

    await room.upkeep.step()
    clock.move(seconds=20)

    assert await taken(room) == []
    # It may be on the device, so nobody calls it unsent.
    assert (await room.states())[PushState.AMBIGUOUS] == 1


async def test_a_doubtful_push_is_sent_again_before_what_waits(room, clock):
    await room.register(AMINA, registration())
    clock.move(seconds=1)
    await room.tell(message(1))
    assert await answered(room, Outcome(Verdict.AMBIGUOUS, "timeout")) == 1
    await room.tell(message(2))
    clock.move(seconds=20)

    assert await taken(room) == [(1, "message 1")]
    clock.move(seconds=10)
    assert await taken(room) == [(1, "message 2")]


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(Verdict.FAILED, PushState.SUPPRESSED), (Verdict.AMBIGUOUS, PushState.AMBIGUOUS)],
)
async def test_what_was_read_is_not_tried_again(room, store, clock, verdict, state):
    await room.register(AMINA, registration())
    await room.tell(message(1))
    await answered(room, Outcome(verdict, "UNAVAILABLE"))

    planned = await withdraw(store, room, Withdrawal(user_id=AMINA, thread="t", place=1))

    # What may be on the device is taken back.
    assert planned == (verdict is Verdict.AMBIGUOUS)
    clock.move(minutes=5)
    assert await taken(room) == []
    assert (await room.states())[state] == 1


async def test_a_batch_that_comes_again_is_not_counted_again(room, clock):
    await room.register(AMINA, registration())
    batch = [message(place) for place in range(1, 5)]
    for _ in range(3):
        await room.tell(*batch)

    assert [count for count, _ in await taken(room)] == [4]
    clock.move(minutes=1)
    assert await taken(room) == []


async def test_a_batch_that_fails_leaves_no_trace(room, clock):
    await room.register(AMINA, registration())
    await room.tell(message(1))
    broken = replace(claimed(message(2))[0], payload=b"{}")

    with pytest.raises(Exception, match="required field"):
        await room.intake.handle([*claimed(message(2)), broken])
    assert len(await taken(room)) == 1
    clock.move(minutes=1)
    await room.tell(message(2))

    assert [count for count, _ in await taken(room)] == [1]


async def test_each_device_and_thread_has_a_pace_of_its_own(room):
    await room.register(AMINA, registration(1))
    await room.register(KARIM, registration(2))

    await room.tell(message(1, AMINA, KARIM), message(1, AMINA, thread="other"))

    assert len(await taken(room)) == 3


async def test_a_phone_that_changed_hands_begins_anew(room):
    await room.register(AMINA, registration())
    await room.tell(message(1))
    assert len(await taken(room)) == 1
    await room.register(KARIM, registration())

    await room.tell(message(2, KARIM))

    assert len(await taken(room)) == 1


async def test_what_is_about_to_be_told_goes_out_when_the_provider_can_take_it(room, clock):
    """A lane that stands still is no reason to tell of each message afterwards."""
    await room.register(AMINA, registration())
    for place in range(1, 6):
        await room.tell(message(place))
        clock.move(minutes=2)

    assert [count for count, _ in await taken(room)] == [5]


async def test_what_was_read_is_neither_told_nor_shown_any_more(room, store, clock):
    await room.register(AMINA, registration(1))
    await room.register(AMINA, apns(2))
    await room.tell(message(1))
    assert (len(await taken(room)), len(await taken(room, Route.APNS))) == (1, 1)
    await room.tell(message(2))

    planned = await withdraw(
        store, room, Withdrawal(user_id=AMINA, thread="t", place=2), badges={AMINA: 3}
    )

    assert planned == 2
    assert await reasons(room) == {READ: 2}
    clock.move(minutes=1)
    assert (await taken(room), await taken(room, Route.APNS)) == ([], [])
    silent = {
        route: (
            await room.pushes.claim(
                route, Urgency.TRANSACTIONAL, now=clock.now(), lease=LEASE, limit=9
            )
        ).pushes[0][1]
        for route in (Route.FCM, Route.APNS)
    }
    assert {each.content.data["badge"] for each in silent.values()} == {"3"}
    assert {each.content.data["dismiss"] for each in silent.values()} == {"t"}
    assert (silent[Route.FCM].content.badge, silent[Route.APNS].content.badge) == (None, 3)
    assert {each.collapse_key for each in silent.values()} == {"t"}


async def test_withdrawing_again_changes_nothing(room, store):
    await room.register(AMINA, registration())
    await room.tell(message(1))
    await taken(room)
    read = Withdrawal(user_id=AMINA, thread="t", place=1)

    assert await withdraw(store, room, read) == 1
    assert await withdraw(store, room, read) == 0


async def test_what_was_never_told_need_not_be_taken_back(room, store):
    await room.register(AMINA, registration())
    await room.tell(message(1))

    assert await withdraw(store, room, Withdrawal(user_id=AMINA, thread="t", place=1)) == 0
    assert await room.states() == {PushState.SUPPRESSED: 1}


async def test_the_device_on_which_it_was_read_is_not_asked(room, store):
    here = await room.register(AMINA, registration(1))
    await room.register(AMINA, registration(2))
    await room.tell(message(1))
    await taken(room)

    read = Withdrawal(user_id=AMINA, thread="t", place=1, device_id=here.id)

    assert await withdraw(store, room, read) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"place": 1},
        {"thread": "u"},
        {"user_id": KARIM},
    ],
    ids=["an earlier place", "another thread", "another user"],
)
async def test_nothing_else_is_taken_back(room, store, clock, other):
    await room.register(AMINA, registration())
    await room.tell(message(1))
    await taken(room)
    await room.tell(message(2))

    read = Withdrawal(**{"user_id": AMINA, "thread": "t", "place": 2, **other})

    assert await withdraw(store, room, read) == 0
    clock.move(minutes=1)
    assert len(await taken(room)) == 1


async def test_it_is_known_when_a_device_was_told(room, store, clock):
    device = await room.register(AMINA, registration())
    await room.tell(message(1))

    assert await store.busy(AMINA, "t") == {device.id: clock.now()}
    assert await store.busy(AMINA, str(uuid4())) == {}
