"""A lane at work: claiming, sending and settling at once, whatever one of them waits for."""

import asyncio

import pytest

from kernel.notices import Urgency
from kernel.workers import Stop
from notifications.adapters.sql_pushes import SqlPushes
from notifications.pushes import PushState
from tests.support.factories_notifications import Room
from tests.support.failing_store import FailingStore
from tests.support.providers import FakeProvider
from tests.support.told_users import crowd, until


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def fcm():
    return FakeProvider()


async def test_one_slow_push_holds_up_no_other_of_its_lane(room, fcm):
    await crowd(room, 60)
    fcm.silent = {"user-token-0"}
    dispatcher = room.dispatcher(fcm, interactive_width=8)
    stop = Stop()
    running = asyncio.create_task(dispatcher.run(stop))

    await until(room.states, PushState.ACCEPTED, 59)

    assert fcm.most_at_once <= 8
    stop.ask()
    fcm.release()
    await running
    assert await room.states() == {PushState.ACCEPTED: 60}


class WatchedStore(SqlPushes):
    """Lets more answers come while it settles, and notes how many pushes a kill would leave
    in doubt after each claim.
    """

    def __init__(self, room, provider):
        super().__init__(room.database)
        self._room = room
        self._provider = provider
        self.in_doubt = []

    async def claim(self, *lane, **more):
        claim = await super().claim(*lane, **more)
        self.in_doubt.append((await self._room.states()).get(PushState.SENDING, 0))
        return claim

    async def settle(self, settlements, *, now):
        self._provider.release()
        return await super().settle(settlements, now=now)


async def test_a_kill_leaves_no_more_in_doubt_than_a_lane_is_wide(room, fcm):
    await crowd(room, 30, urgency=Urgency.MARKETING)
    fcm.silent = {f"user-token-{number}" for number in range(0, 30, 2)}
    room.pushes = store = WatchedStore(room, fcm)
    dispatcher, stop = room.dispatcher(fcm, marketing_width=8), Stop()
    running = asyncio.create_task(dispatcher.run(stop))

    await until(room.states, PushState.ACCEPTED, 30)
    stop.ask()
    await running

    assert max(store.in_doubt) == 8


class SlowStore(SqlPushes):
    """Its second claim does not end before eight pushes are settled."""

    def __init__(self, room, provider):
        super().__init__(room.database)
        self._room = room
        self._provider = provider
        self._claims = 0

    async def claim(self, *lane, **more):
        self._claims += 1
        if self._claims == 2:
            self._provider.release()
            await until(self._room.states, PushState.ACCEPTED, 8)
        return await super().claim(*lane, **more)


async def test_what_landed_is_settled_while_a_claim_takes_its_time(room, fcm):
    await crowd(room, 12)
    fcm.silent = {f"user-token-{number}" for number in range(0, 12, 2)}
    room.pushes = SlowStore(room, fcm)
    dispatcher, stop = room.dispatcher(fcm, interactive_width=8), Stop()
    running = asyncio.create_task(dispatcher.run(stop))

    await until(room.states, PushState.ACCEPTED, 12)

    stop.ask()
    await running


async def test_what_was_in_the_air_is_settled_when_the_dispatcher_stops(room, fcm):
    await crowd(room, 5)
    fcm.silent = {"user-token-3"}
    stop = Stop()
    running = asyncio.create_task(room.dispatcher(fcm).run(stop))
    await fcm.received(5)

    stop.ask()
    await asyncio.sleep(0)
    assert not running.done()
    fcm.release()
    await running

    assert await room.states() == {PushState.ACCEPTED: 5}


async def test_an_outcome_the_database_refused_is_settled_by_the_next_run(room, fcm):
    await crowd(room, 3)
    room.pushes = FailingStore(room.pushes)
    dispatcher = room.dispatcher(fcm)

    with pytest.raises(ConnectionError):
        await dispatcher.step()
    await dispatcher.step()

    assert await room.states() == {PushState.ACCEPTED: 3}
    assert set(fcm.copies.values()) == {1}


async def test_a_lane_whose_store_fails_ends_when_what_is_in_the_air_has_landed(room, fcm):
    await crowd(room, 3)
    fcm.silent = {"user-token-1"}
    room.pushes = store = FailingStore(room.pushes)
    dispatcher = room.dispatcher(fcm)
    running = asyncio.create_task(dispatcher.run(Stop()))
    await store.failed.wait()

    assert not running.done()
    fcm.release()
    with pytest.raises(ExceptionGroup) as caught:
        await running
    assert caught.group_contains(ConnectionError)
    await dispatcher.step()

    assert await room.states() == {PushState.ACCEPTED: 3}
    assert set(fcm.copies.values()) == {1}
