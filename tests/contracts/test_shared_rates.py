"""What dispatchers that meet in Redis promise about the rate of a credential."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis, RedisCluster

from kernel.adapters.redis_client import RedisClient
from kernel.adapters.redis_options import RedisOptions
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.notices import Urgency
from notifications.adapters.redis_throttle import AWAY_FIRST, RedisThrottle
from notifications.throttle import RESERVE
from notifications.types import Route
from tests.support.clock import ManualClock
from tests.support.metrics import value_of
from tests.support.servers import ValkeyServer

pytestmark = pytest.mark.external

RATE = 1.0
"""Pushes a second; ten at once. So few come back while a test runs that it can count them."""

SHARED = "notifications_rates_shared"


@pytest.fixture
async def redis(redis_options: RedisOptions) -> AsyncIterator[Redis | RedisCluster]:
    client = RedisClient(redis_options)
    yield client.redis
    await client.close()


@pytest.fixture
def prefix(redis_options: RedisOptions) -> str:
    return f"{redis_options.prefix}throttle"


def throttle(redis, prefix, *, rate=RATE, ramp=0.0, clock=None, metrics=None):
    return RedisThrottle(
        redis,
        rates=dict.fromkeys(Route, rate),
        ramp=ramp,
        node_id=uuid4().hex,
        prefix=prefix,
        clock=clock or SystemClock(),
        metrics=metrics or Metrics(),
        # A busy machine may take its time.
        within=60.0,
    )


async def take(rates, wanted=1000, *, route=Route.FCM, urgency=Urgency.INTERACTIVE):
    return await rates.take(route, wanted, urgency=urgency)


async def test_all_dispatchers_take_from_one_bucket(redis, prefix):
    rates = [throttle(redis, prefix, rate=0.001) for _ in range(4)]

    taken = await asyncio.gather(*(take(each, 3) for each in rates))

    assert sum(taken) == 10


async def test_each_route_has_a_bucket_of_its_own(redis, prefix):
    rates = throttle(redis, prefix, rate=0.001)
    await take(rates)

    assert await take(rates, route=Route.APNS) == 10


async def test_each_app_has_buckets_of_its_own(redis, prefix):
    rates = throttle(redis, prefix, rate=0.001)
    await take(rates)

    assert await rates.take(Route.FCM, 1000, urgency=Urgency.INTERACTIVE, app_id="shop") == 10


async def test_marketing_leaves_a_reserve(redis, prefix):
    rates = throttle(redis, prefix, rate=0.001)

    assert await take(rates, urgency=Urgency.MARKETING) == 10 * (1 - RESERVE)
    assert await take(rates, urgency=Urgency.MARKETING) == 0
    assert await take(rates) == 10 * RESERVE


async def test_what_was_not_used_comes_back(redis, prefix):
    here, there = throttle(redis, prefix, rate=0.001), throttle(redis, prefix, rate=0.001)
    await take(here)

    here.give_back(Route.FCM, 4)

    assert await take(here, 1) == 1
    assert await take(there) == 3


async def test_the_bucket_fills_again(redis, prefix):
    rates = throttle(redis, prefix, rate=100.0)
    await take(rates)

    async with asyncio.timeout(30):
        while await take(rates) == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_new_credential_begins_slowly(redis, prefix):
    rates = throttle(redis, prefix, rate=10_000.0, ramp=10_000.0)

    assert await take(rates) == 50


async def test_a_complaint_to_one_pauses_all_and_halves_what_they_share(redis, prefix):
    here, there = throttle(redis, prefix, rate=1000.0), throttle(redis, prefix, rate=1000.0)
    await take(here)

    for _ in range(5):
        await here.complained(Route.FCM, retry_after=600.0)

    assert await take(there) == 0
    assert await take(there, route=Route.APNS) > 0
    [kept] = await redis.hmget(f"{prefix}:{{default:fcm}}", "rate")
    assert float(kept) == 500.0


@pytest.fixture
async def own(valkey_server: ValkeyServer) -> AsyncIterator[Redis]:
    client = RedisClient(RedisOptions(url=valkey_server.url, timeout_seconds=1.0))
    yield client.redis
    await client.close()


async def test_while_redis_is_away_each_dispatcher_keeps_to_its_share(own, valkey_server):
    clock, metrics = ManualClock(), Metrics()
    here = throttle(own, "away", rate=1000.0, clock=clock, metrics=metrics)
    there = throttle(own, "away", rate=1000.0)
    await take(there, 1)
    await take(here, 1)
    assert value_of(metrics, SHARED) == 1

    valkey_server.stop()
    clock.move(seconds=1)
    passed = 0
    for _ in range(100):
        passed += await take(here)
        clock.move(seconds=0.1)

    # Two feed it, so each may send half of a thousand a second for ten seconds.
    assert 4900 <= passed <= 5100
    assert value_of(metrics, SHARED) == 0
    assert value_of(metrics, "notifications_shared_rates_failures_total") >= 1


async def test_redis_that_lost_everything_is_used_again(own, valkey_server):
    clock, metrics = ManualClock(), Metrics()
    rates = throttle(own, "lost", rate=0.001, clock=clock, metrics=metrics)
    await take(rates)
    valkey_server.stop()
    await take(rates)

    valkey_server.start()
    await own.flushall()
    clock.move(seconds=10 * AWAY_FIRST)

    assert await take(rates) == 10
    assert value_of(metrics, SHARED) == 1
