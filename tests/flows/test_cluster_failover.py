"""People chat over two nodes while a shard of the Redis Cluster between them dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.crc import key_slot

from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_options import RedisOptions
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from messaging.delivery.following import HubOptions
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, channel_of, serving, talking
from tests.support.redis_setups import ValkeyCluster

pytestmark = pytest.mark.external


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RedisBus]:
    bus = RedisBus(
        RedisOptions(url=url, silence_seconds=1.0), clock=SystemClock(), metrics=Metrics()
    )
    await bus.open()
    yield bus
    await bus.close()


async def test_every_message_arrives_once_and_in_order(
    failing_cluster: ValkeyCluster, sqlite_database
):
    dying, *_ = failing_cluster.primaries
    async with AsyncExitStack() as opened:
        buses = [await opened.enter_async_context(connected(failing_cluster.url)) for _ in range(2)]
        hub_options = HubOptions(poll_seconds=0.5)
        here, there = [
            await opened.enter_async_context(
                serving(Node(sqlite_database, bus=bus, hub_options=hub_options))
            )
            for bus in buses
        ]
        rooms = [await here.conversation(AMINA, KARIM) for _ in range(24)]
        channels = [channel_of(each) for each in rooms]
        slots = [key_slot(f"zaffa:{channel}".encode()) for channel in channels]
        on_dying = [failing_cluster.primary_of(slot) is dying for slot in slots]
        karim = await opened.enter_async_context(talking(there, KARIM))
        for channel in channels:
            await karim.subscribe(channel)

        async def speak() -> None:
            for number in range(30):
                await asyncio.gather(*(here.say(room, AMINA, str(number)) for room in rooms))
                if number == 5:
                    dying.kill()
                await asyncio.sleep(0.1)

        speaking = asyncio.create_task(speak())
        expected = list(range(1, 31))
        await karim.until(
            lambda: all(len(karim.offsets(channel)) >= len(expected) for channel in channels)
        )
        await speaking
        gaps = there.metric("messaging_channel_restarts_total")

    assert any(on_dying)
    assert not all(on_dying)
    for channel in channels:
        assert karim.offsets(channel) == expected, channel
    assert gaps == 0
