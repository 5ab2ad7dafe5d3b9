"""What limits of sends promise, in one process and shared through Redis."""

from uuid import uuid4

import pytest

from kernel.adapters.redis_client import RedisClient
from kernel.adapters.redis_options import RedisOptions
from kernel.clock import SystemClock
from kernel.ids import UserId
from notifications.adapters.redis_send_limits import RedisSendLimits
from notifications.sends.limits import Limit, LocalLimits, SendOptions
from tests.support.clock import ManualClock
from tests.support.servers import ValkeyServer

AMINA, KARIM = UserId("amina"), UserId("karim")
KEY = uuid4()

pytestmark = pytest.mark.external


@pytest.fixture
async def own(valkey_server: ValkeyServer):
    client = RedisClient(RedisOptions(url=valkey_server.url, timeout_seconds=1.0))
    yield client.redis
    await client.close()


@pytest.fixture(params=["local", "shared"])
def limits(request, own):
    """Makes limits with these options, all of one kind."""

    def make(**options):
        if request.param == "local":
            return LocalLimits(SendOptions(**options), clock=ManualClock())
        return shared(own, **options)

    return make


def shared(redis, *, prefix="sends", **options):
    return RedisSendLimits(
        redis, options=SendOptions(**options), prefix=prefix, clock=SystemClock(), within=60.0
    )


async def taken(limits, *sends, key=KEY):
    """Which limit each send met, and about whom."""
    found = await limits.take(key, sends)
    return [each and (each.limit, each.user_id) for each in found]


# So slow that nothing comes back while a test runs, however slow the machine is.
SLOW = 1 / 1000


async def test_what_is_too_much_names_the_limit_and_when_to_come_again(limits):
    rates = limits(user_per_minute=2.0)
    await rates.take(KEY, [[AMINA], [AMINA]])

    (excess,) = await rates.take(KEY, [[KARIM, AMINA]])

    assert (excess.limit, excess.user_id) == (Limit.USER, AMINA)
    assert 0 < excess.retry_after <= 30


async def test_nothing_is_taken_of_a_send_that_is_too_much(limits):
    rates = limits(user_per_minute=2.0)
    await rates.take(KEY, [[AMINA], [AMINA]])

    refused = await taken(rates, *([[KARIM, AMINA]] * 5))
    alone = await taken(rates, [KARIM], [KARIM], [KARIM])

    assert refused == [(Limit.USER, AMINA)] * 5
    assert alone == [None, None, (Limit.USER, KARIM)]


async def test_a_key_is_limited_by_users_and_a_list_counts_as_one(limits):
    rates = limits(key_per_second=SLOW, key_burst=3.0, user_per_minute=0.0)

    answers = await taken(rates, [AMINA, KARIM], [], [AMINA], [])

    assert answers == [None, None, (Limit.KEY, None), (Limit.KEY, None)]
    assert await taken(rates, [AMINA], key=uuid4()) == [None]


async def test_a_send_that_is_larger_than_the_bucket_waits_for_a_full_one(limits):
    rates = limits(key_per_second=SLOW, key_burst=2.0, user_per_minute=0.0)
    many = [UserId(f"user-{each}") for each in range(5)]

    assert await taken(rates, many) == [None]
    assert await taken(rates, [AMINA]) == [(Limit.KEY, None)]


async def test_without_limits_anything_goes(limits):
    rates = limits(key_per_second=0.0, user_per_minute=0.0)

    assert await taken(rates, *([[AMINA]] * 1000)) == [None] * 1000


async def test_nodes_keep_to_one_limit_together_in_every_setup_of_redis(redis_options):
    client = RedisClient(redis_options)
    prefix = f"{redis_options.prefix}{uuid4().hex}"
    nodes = [shared(client.redis, prefix=prefix, user_per_minute=2.0) for _ in range(3)]

    answers = [(await taken(each, [AMINA]))[0] for each in nodes]
    await client.close()

    assert answers == [None, None, (Limit.USER, AMINA)]


async def test_while_redis_is_away_each_node_keeps_to_the_limits_by_itself(own, valkey_server):
    rates = shared(own, user_per_minute=1.0)
    valkey_server.stop()

    assert await taken(rates, [AMINA], [AMINA]) == [None, (Limit.USER, AMINA)]
