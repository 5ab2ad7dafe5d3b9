"""Campaigns that may go so fast and no faster, whoever sends them."""

import pytest

from kernel.workers import Pulse
from notifications.campaigns import CampaignWorker
from notifications.errors import IdempotencyMismatch
from notifications.pushes import PushState
from tests.support.advertising import OPERATOR, advertised, campaigns_in
from tests.support.factories_notifications import Room
from tests.support.providers import FakeProvider


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def campaigns(room):
    return campaigns_in(room)


@pytest.fixture
def worker(room):
    return CampaignWorker(store=room.campaigns, clock=room.clock, pulse=Pulse(), planned=room.pulse)


@pytest.fixture
def begun(room):
    """Starts a campaign and plans all of it."""

    async def begun(key="k", **words):
        return (await advertised(room, idempotency_key=key, **words)).id

    return begun


async def settled(worker) -> None:
    while await worker.step():
        pass


async def test_two_dispatchers_together_keep_to_the_pace(room, begun, clock):
    await room.phones(20)
    await begun(per_second=2.0)
    provider = FakeProvider()
    dispatchers = [room.dispatcher(provider, marketing_width=8) for _ in range(2)]

    sent = []
    for _ in range(40):
        for dispatcher in dispatchers:
            await dispatcher.step()
        sent.append(len(provider.attempts))
        clock.move(seconds=0.5)

    assert sent == [min(20, 1 + second) for second in range(40)]
    assert await room.states() == {PushState.ACCEPTED: 20}


async def test_after_a_pause_it_goes_on_at_its_pace_and_others_do_not_wait(
    room, campaigns, worker, begun, clock
):
    await room.phones(10)
    paced = await begun(per_second=1.0)
    provider = FakeProvider()
    dispatcher = room.dispatcher(provider)
    await dispatcher.step()
    await campaigns.pause(OPERATOR, paced)
    await settled(worker)

    clock.move(minutes=5)
    await campaigns.resume(OPERATOR, paced)
    await settled(worker)
    await begun("other")
    for _ in range(3):
        await dispatcher.step()
    after = len(provider.attempts)

    assert after == 1 + 1 + 10
    for second in range(1, 9):
        clock.move(seconds=1)
        await dispatcher.step()
        assert len(provider.attempts) == after + second
    assert await room.states() == {PushState.ACCEPTED: 20}


async def test_a_pace_is_part_of_what_an_idempotency_key_stands_for(campaigns, begun):
    first = await begun(per_second=5.0)

    assert await begun(per_second=5.0) == first
    assert (await campaigns.get(OPERATOR, first)).campaign.per_second == 5.0
    with pytest.raises(IdempotencyMismatch):
        await begun(per_second=6.0)
