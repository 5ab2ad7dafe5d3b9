"""The served node runs on uvloop, whose transports and sockets are not asyncio's."""

import pytest
import uvloop

from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_options import RedisOptions
from kernel.bus import Publication
from kernel.clock import SystemClock
from kernel.metrics import Metrics

pytestmark = pytest.mark.external


def test_the_bus_hears_on_uvloop(redis_options: RedisOptions):
    async def hear() -> list[object]:
        bus = RedisBus(redis_options, clock=SystemClock(), metrics=Metrics())
        await bus.open()
        try:
            async with bus.listen() as listener:
                await listener.follow(frozenset({"conversation:1"}))
                bus.publish([Publication("conversation:1", b'"salam"', None)])
                async for news in listener:
                    return list(news)
        finally:
            await bus.close()
        return []

    [publication] = uvloop.run(hear())
    assert isinstance(publication, Publication)
    assert publication.data == b'"salam"'
