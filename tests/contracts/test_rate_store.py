"""What both stores of users' rates promise."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis, RedisCluster

from kernel.adapters.redis_client import RedisClient
from kernel.adapters.redis_options import RedisOptions
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from messaging.adapters.memory_rates import REMEMBERED, MemoryRates
from messaging.adapters.redis_rates import AWAY_SECONDS, RedisRates
from messaging.connections.rates import Bucket, Draws
from messaging.connections.user_rates import RateStore
from tests.support.clock import ManualClock
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.redis_setups import SETUPS, given_by
from tests.support.servers import ValkeyServer

SLOW = 600.0
"""An interval in which nothing fills again while a test runs."""


def draws(**buckets: list[tuple[int, float]]) -> Draws:
    return tuple(
        (name, tuple(Bucket(rate, interval) for rate, interval in sizes))
        for name, sizes in buckets.items()
    )


@pytest.fixture
async def redis(redis_options: RedisOptions) -> AsyncIterator[Redis | RedisCluster]:
    """Every way to have Redis."""
    client = RedisClient(redis_options)
    yield client.redis
    await client.close()


@pytest.fixture
def prefix(redis_options: RedisOptions) -> str:
    return f"{redis_options.prefix}rates"


def rates(
    redis: Redis | RedisCluster, prefix: str, clock: SystemClock | ManualClock | None = None
) -> RedisRates:
    return RedisRates(
        redis,
        clock=clock or SystemClock(),
        metrics=Metrics(),
        prefix=prefix,
        longest=SLOW,
    )


@pytest.fixture(params=["memory", *(pytest.param(s, marks=pytest.mark.external) for s in SETUPS)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[RateStore]:
    if request.param == "memory":
        yield MemoryRates(SystemClock())
        return
    client = RedisClient(RedisOptions(**given_by(request, request.param)))
    yield rates(client.redis, f"zaffa:{uuid4().hex}:rates")
    await client.close()


async def taken(store: RateStore, wanted: Draws, times: int, user_id=AMINA) -> list[bool]:
    return list(await asyncio.gather(*(store.take(user_id, wanted) for _ in range(times))))


async def test_so_many_go_through_and_no_more(store):
    assert await taken(store, draws(rpc=[(3, SLOW)]), 5) == [True, True, True, False, False]
    assert await taken(store, draws(rpc=[(3, SLOW)]), 2) == [False, False]


async def test_users_have_buckets_of_their_own(store):
    await taken(store, draws(rpc=[(1, SLOW)]), 1)

    assert await taken(store, draws(rpc=[(1, SLOW)]), 1, KARIM) == [True]


async def test_all_buckets_must_have_one_left_and_a_refusal_takes_nothing(store):
    both = draws(total=[(4, SLOW)], rpc=[(2, SLOW), (100, SLOW)])

    assert await taken(store, both, 4) == [True, True, False, False]
    assert await taken(store, draws(total=[(4, SLOW)]), 3) == [True, True, False]


async def test_a_bucket_fills_again(store):
    wanted = draws(rpc=[(1, 0.2)])
    await taken(store, wanted, 2)

    async with asyncio.timeout(10):
        while await taken(store, wanted, 1) == [False]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_whoever_asks_first_is_answered_first(store):
    answered: list[int] = []

    async def ask(number: int) -> None:
        await store.take(AMINA, draws(rpc=[(1000, SLOW)]))
        answered.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(500):
            group.create_task(ask(number))
            if number % 90 == 0:
                await asyncio.sleep(0)

    assert answered == list(range(500))


async def test_who_gave_up_asking_holds_up_nobody(store):
    asking = asyncio.ensure_future(store.take(AMINA, draws(rpc=[(9, SLOW)])))
    await asyncio.sleep(0)
    asking.cancel()

    assert await taken(store, draws(rpc=[(9, SLOW)]), 1) == [True]


async def test_who_was_quiet_for_longest_starts_afresh():
    store, wanted = MemoryRates(SystemClock()), draws(rpc=[(1, SLOW)])
    await store.take(AMINA, wanted)
    for number in range(REMEMBERED):
        await store.take(f"user{number}", wanted)

    assert await store.take(AMINA, wanted)
    assert not await store.take(f"user{REMEMBERED - 1}", wanted)


# --- over several nodes ---------------------------------------------------------------------------


@pytest.mark.external
async def test_all_nodes_take_from_the_same_buckets(redis, prefix):
    wanted = draws(rpc=[(10, SLOW)])
    here, there = rates(redis, prefix), rates(redis, prefix)

    answers = await asyncio.gather(taken(here, wanted, 10), taken(there, wanted, 10))

    assert sum(map(sum, answers)) == 10


@pytest.mark.external
async def test_what_is_full_again_is_forgotten(redis, prefix):
    await taken(rates(redis, prefix), draws(rpc=[(10, SLOW)]), 1)

    assert 0 < await redis.ttl(f"{prefix}:{AMINA}") <= SLOW + 1


@pytest.mark.external
async def test_a_clock_that_goes_back_does_not_keep_a_bucket_empty(redis, prefix):
    wanted = draws(rpc=[(1, 0.2)])
    store = rates(redis, prefix)
    await taken(store, wanted, 1)
    await redis.hset(f"{prefix}:{AMINA}", mapping={"rpc.0": "0", "rpc.0@": "99999999999"})

    async with asyncio.timeout(10):
        while await taken(store, wanted, 1) == [False]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.external
async def test_while_redis_is_away_each_node_counts_by_itself(valkey_server: ValkeyServer):
    clock, wanted = ManualClock(), draws(rpc=[(2, SLOW)])
    client = Redis.from_url(valkey_server.url, socket_timeout=0.5, socket_connect_timeout=0.5)
    store = rates(client, uuid4().hex, clock)
    assert await taken(store, wanted, 3) == [True, True, False]
    valkey_server.stop()

    assert await taken(store, wanted, 3) == [True, True, False]
    assert await taken(store, wanted, 1, KARIM) == [True]

    valkey_server.start()
    clock.move(seconds=AWAY_SECONDS)
    assert await taken(store, wanted, 3) == [True, True, False]
    assert await taken(store, wanted, 1, KARIM) == [True]
    await client.aclose()
