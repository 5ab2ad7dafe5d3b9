"""How much one device is sent through FCM in a minute, by all dispatchers together."""

from collections import Counter
from uuid import UUID

import pytest

from kernel.notices import Urgency
from notifications.adapters.tables import NO_DEVICE
from notifications.device_pace import DEVICE_BUSY, DevicePace
from notifications.pushes import PushState
from notifications.sends.limits import LocalLimits, SendOptions
from notifications.types import AddressKind
from tests.support.factories_notifications import AMINA, Room, apns, planned
from tests.support.failing_store import FailingStore
from tests.support.providers import FakeProvider

PER_MINUTE = 24.0


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def pace(clock):
    """Makes the pace of a dispatcher; all of them share their limits."""
    limits = LocalLimits(SendOptions(user_per_minute=PER_MINUTE), clock=clock)
    return lambda: DevicePace(limits, per_minute=PER_MINUTE, clock=clock)


async def waiting(room: Room, device, number: int, urgency=Urgency.TRANSACTIONAL) -> None:
    now = room.clock.now()
    pairs = [planned(device, urgency=urgency, now=now) for _ in range(number)]
    await room.pushes.plan([each for each, _ in pairs], [each for _, each in pairs])


async def test_a_phone_is_sent_what_fcm_allows_and_the_rest_when_it_may(room, pace, clock):
    busy, quiet = await room.phones(2)
    await waiting(room, busy, 30)
    await waiting(room, quiet, 5)
    provider = FakeProvider()
    dispatcher = room.dispatcher(provider, device_pace=pace())

    await dispatcher.step()

    sent = Counter(each.address for each in provider.attempts)
    assert sorted(sent.values()) == [5, 24]
    assert await room.states() == {PushState.ACCEPTED: 29, PushState.RETRY: 6}
    clock.move(seconds=5)
    await dispatcher.step()
    assert len(provider.attempts) == 29 + 2
    clock.move(seconds=60)
    await dispatcher.step()
    assert await room.states() == {PushState.ACCEPTED: 35}


async def test_dispatchers_count_together_but_for_the_first_few(room, pace):
    (phone,) = await room.phones(1)
    provider = FakeProvider()

    for _ in range(4):
        await waiting(room, phone, 15)
        await room.dispatcher(provider, device_pace=pace()).step()

    # Two dispatchers noticed only with their third push that there was nothing left.
    assert len(provider.attempts) == 24 + 2 * 2
    assert await room.states() == {PushState.ACCEPTED: 28, PushState.RETRY: 32}


async def test_what_is_held_back_says_so_and_is_no_try(room, pace):
    (phone,) = await room.phones(1)
    await waiting(room, phone, 25)

    await room.dispatcher(FakeProvider(), device_pace=pace()).step()

    assert (await room.attempts())[-1] == (1, "not_sent", DEVICE_BUSY)
    assert Counter(reason for _, _, reason in await room.attempts()) == {"": 24, DEVICE_BUSY: 1}


async def test_what_is_held_back_while_the_database_goes_away_is_sent_later(room, pace, clock):
    (phone,) = await room.phones(1)
    await waiting(room, phone, 30, urgency=Urgency.MARKETING)
    room.pushes = FailingStore(room.pushes)
    provider = FakeProvider()
    dispatcher = room.dispatcher(provider, device_pace=pace())

    with pytest.raises(ConnectionError):
        await dispatcher.step()
    await dispatcher.step()

    assert await room.states() == {PushState.ACCEPTED: 24, PushState.RETRY: 6}
    clock.move(minutes=2)
    await dispatcher.step()
    assert await room.states() == {PushState.ACCEPTED: 30}
    assert set(provider.copies.values()) == {1}


async def test_iphones_are_not_counted(room, pace):
    await waiting(room, await room.register(AMINA, apns(99)), 30)
    apple = FakeProvider(name="apns", carries=frozenset({AddressKind.APNS}))

    await room.dispatcher(apple, device_pace=pace()).step()

    assert len(apple.attempts) == 30


async def test_topics_are_not_counted_and_quiet_phones_ask_nobody(pace):
    one, other = UUID(int=1), UUID(int=2)

    assert set(await pace().held_back([NO_DEVICE] * 100)) == {None}
    for _ in range(50):
        assert await pace().held_back([one, other, other]) == [None] * 3
