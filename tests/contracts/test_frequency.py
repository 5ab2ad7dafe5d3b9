"""Nobody is told more marketing than the house allows, whoever sends it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.notices import Urgency
from notifications.adapters.sql_pushes import SqlPushes
from notifications.adapters.sql_threads import SqlThreads
from notifications.deciding.categories import PreferenceOptions, Rulebook
from notifications.preferences.explain import Explain, Question
from notifications.preferences.voices import Voices
from notifications.pushes import PushState, Settlement
from notifications.types import Outcome, Route, Verdict
from tests.support.factories_notifications import AMINA, KARIM, Room, planned, registration, user

TWO = Rulebook(PreferenceOptions(marketing_per_day=2))
LEASE = timedelta(seconds=60)


@pytest.fixture
def room(database, clock, metrics):
    room = Room(database, clock, metrics)
    room.pushes = SqlPushes(database, rulebook=TWO)
    return room


@pytest.fixture
def advertise(room, clock):
    """Plan something to buy for some phones, as one notification if they have one owner."""

    async def advertise(*phones, urgency=Urgency.MARKETING, category="marketing", hours=30):
        until = clock.now() + timedelta(hours=hours)
        first, _ = planned(phones[0], urgency=urgency, now=clock.now(), expires_at=until)
        pushes = []
        for phone in phones:
            _, push = planned(phone, urgency=urgency, now=clock.now(), expires_at=until)
            pushes.append(replace(push, notification_id=first.id, category=category))
        await room.pushes.plan([replace(first, category=category)], pushes)

    return advertise


@pytest.fixture
def send(room, clock):
    """Claim what may go, and let the provider take it; how many it took."""

    async def send(urgency=Urgency.MARKETING):
        claim = await room.pushes.claim(Route.FCM, urgency, now=clock.now(), lease=LEASE, limit=100)
        taken = [
            Settlement(held, Outcome(Verdict.ACCEPTED), PushState.ACCEPTED)
            for held, _ in claim.pushes
        ]
        if taken:
            await room.pushes.settle(taken, now=clock.now())
        return len(taken)

    return send


async def test_the_third_of_a_day_waits_until_the_first_is_a_day_ago(room, advertise, send, clock):
    phone = await room.register(AMINA, registration())
    for _ in range(2):
        await advertise(phone)
        assert await send() == 1
        clock.move(hours=1)

    await advertise(phone)
    assert await send() == 0
    assert await room.states() == {PushState.ACCEPTED: 2, PushState.QUEUED: 1}

    clock.move(hours=21, minutes=59)
    assert await send() == 0
    clock.move(minutes=1)
    assert await send() == 1


async def test_of_many_in_one_claim_no_more_go_than_are_allowed(room, advertise, send):
    phone = await room.register(AMINA, registration())
    for _ in range(5):
        await advertise(phone)

    assert await send() == 2


async def test_what_would_wait_for_longer_than_it_matters_is_dropped(room, advertise, send):
    phone = await room.register(AMINA, registration())
    for _ in range(3):
        await advertise(phone, hours=2)
        await send()

    assert await room.states() == {PushState.ACCEPTED: 2, PushState.SUPPRESSED: 1}


async def test_two_phones_of_a_user_are_told_once(room, advertise, send):
    phones = [await room.register(AMINA, registration(each)) for each in (1, 2)]
    for _ in range(3):
        await advertise(*phones)

    assert await send() == 4


async def test_other_users_other_categories_and_other_classes_are_counted_apart(
    room, advertise, send
):
    mine = await room.register(AMINA, registration(1))
    theirs = await room.register(KARIM, registration(2))
    for _ in range(2):
        await advertise(mine)
        await send()

    await advertise(theirs)
    assert await send() == 1
    await advertise(mine, urgency=Urgency.TRANSACTIONAL, category="booking")
    assert await send(Urgency.TRANSACTIONAL) == 1


async def test_the_explanation_says_until_when_it_is_enough(room, advertise, send, clock):
    phone = await room.register(AMINA, registration())
    for _ in range(2):
        await advertise(phone)
        await send()
    explain = Explain(
        voices=Voices(
            preferences=room.preferences,
            ramadans=room.preferences,
            mutes=room.voices._mutes,
            rulebook=TWO,
        ),
        devices=room.devices,
        ledger=room.ledger,
        threads=SqlThreads(room.database),
        interval=timedelta(0),
        clock=clock,
    )
    tomorrow = clock.now() + timedelta(days=2)
    imagined = Question("marketing", Urgency.MARKETING, expires_at=tomorrow)

    (told,) = (await explain.imagined(user(AMINA), imagined)).devices

    assert dict(told.explained.rules)["frequency"].why == (
        "The user has been told enough of this category until 2026-03-02 08:00Z."
    )
