"""What upkeep finds and deletes."""

import asyncio

import pytest

from kernel.workers import Stop
from notifications.pushes import PushState
from notifications.upkeep import UpkeepOptions
from tests.support.factories_notifications import AMINA, Room, notice, registration
from tests.support.metrics import value_of
from tests.support.providers import FakeProvider


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


async def test_expired_pushes_end_without_ever_being_sent(room, clock, metrics):
    await room.register(AMINA, registration())
    await room.tell(notice(AMINA))
    clock.move(hours=1)

    assert await room.upkeep.step() == 1
    assert await room.upkeep.step() == 0

    assert await room.states() == {PushState.EXPIRED: 1}
    assert value_of(metrics, "notifications_upkeep_total", what="expired") == 1


async def test_old_notifications_and_dead_devices_are_deleted(room, clock):
    await room.register(AMINA, registration())
    await room.tell(notice(AMINA))
    await room.dispatcher(FakeProvider()).step()

    clock.move(days=8)
    await room.upkeep.step()
    assert await room.states() == {}
    assert len((await room.devices.of_users([AMINA]))[AMINA]) == 1

    clock.move(days=263)
    await room.upkeep.step()
    assert await room.devices.of_users([AMINA]) == {}


async def test_several_upkeepers_end_each_push_once(room, clock):
    await room.phones(30)
    await room.tell(notice(*(f"user-{number}" for number in range(30))))
    clock.move(hours=1)

    found = await asyncio.gather(*(room.upkeep.step() for _ in range(3)))

    assert sum(found) == 30


async def test_it_runs_until_it_is_asked_to_stop(room, clock):
    stop = Stop()
    running = asyncio.create_task(room.upkeep.run(stop))
    await clock.asleep()

    stop.ask()

    await asyncio.wait_for(running, 5)


@pytest.mark.parametrize(
    "wrong", [{"every_seconds": 0}, {"pushes_days": 0}, {"unconfirmed_days": 0}]
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UpkeepOptions(**wrong)
