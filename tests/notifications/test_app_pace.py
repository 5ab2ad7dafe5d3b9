"""How fast the campaigns of one app go, over all its routes."""

import pytest

from kernel.notices import Urgency
from notifications.app_pace import AppPace
from notifications.pushes import PushState
from notifications.types import AddressKind
from tests.support.factories_notifications import AMINA, Room, apns, planned
from tests.support.providers import FakeProvider


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


async def waiting(room, phones, urgency):
    for phone in phones:
        notification, push = planned(phone, urgency=urgency, now=room.clock.now())
        await room.pushes.plan([notification], [push])


async def test_all_routes_of_an_app_share_its_pace_and_chat_does_not_wait(room, clock):
    androids = await room.phones(15)
    iphone = await room.register(AMINA, apns(99))
    await waiting(room, [*androids, iphone], Urgency.MARKETING)
    await waiting(room, androids, Urgency.INTERACTIVE)
    fcm = FakeProvider()
    apple = FakeProvider(name="apns", carries=frozenset({AddressKind.APNS}))
    dispatcher = room.dispatcher(fcm, apple, pace=AppPace(per_second=10.0))

    await dispatcher.step()

    assert await room.states() == {PushState.ACCEPTED: 15 + 10, PushState.QUEUED: 6}
    clock.move(seconds=0.25)
    await dispatcher.step()
    assert (await room.states())[PushState.QUEUED] == 4


async def test_apps_are_paced_apart():
    pace = AppPace(per_second=1.0)

    assert [await pace.take(app, 100, now=5.0) for app in ("a", "b", "a")] == [10, 10, 0]


async def test_what_was_not_used_comes_back():
    pace = AppPace(per_second=1.0)
    await pace.take("a", 10, now=5.0)

    pace.give_back("a", 4)

    assert await pace.take("a", 10, now=5.0) == 4
