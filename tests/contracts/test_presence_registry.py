"""What both presence registries promise."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from redis.asyncio import Redis, RedisCluster

from kernel.adapters.redis_client import RedisClient
from kernel.adapters.redis_options import RedisOptions
from kernel.errors import Unavailable
from kernel.ids import UserId
from messaging.adapters.living_hashes import PARTITIONS
from messaging.adapters.memory_presence import MemoryPresence
from messaging.adapters.redis_presence import RedisPresence
from messaging.ports import PresenceRegistry
from messaging.types import Presence
from tests.support.factories_messaging import AMINA, KARIM, LINA
from tests.support.redis_setups import SETUPS, given_by
from tests.support.servers import ValkeyServer


@pytest.fixture
async def redis(redis_options: RedisOptions) -> AsyncIterator[Redis | RedisCluster]:
    """Every way to have Redis."""
    client = RedisClient(redis_options)
    yield client.redis
    await client.close()


@pytest.fixture
def prefix(redis_options: RedisOptions) -> str:
    return f"{redis_options.prefix}presence"


def node_of(redis: Redis | RedisCluster, prefix: str, *, ttl: float = 60.0) -> RedisPresence:
    """A node, which has a sixth of its life for each question to Redis."""
    return RedisPresence(redis, ttl_seconds=ttl, prefix=prefix)


@pytest.fixture(params=["memory", *(pytest.param(s, marks=pytest.mark.external) for s in SETUPS)])
async def registry(request: pytest.FixtureRequest) -> AsyncIterator[PresenceRegistry]:
    if request.param == "memory":
        yield MemoryPresence()
        return
    client = RedisClient(
        RedisOptions(prefix=f"zaffa:{uuid4().hex}:", **given_by(request, request.param))
    )
    there = node_of(client.redis, f"zaffa:{uuid4().hex}:presence")
    await there.renew()
    yield there
    await client.close()


def connection(user_id: UserId, client: str, info: bytes | None = None) -> Presence:
    return Presence(user_id, client, info)


async def test_who_enters_is_present_until_they_leave(registry):
    await registry.enter([connection(AMINA, "1"), connection(KARIM, "2")])
    assert await registry.present([AMINA, KARIM, LINA]) == {AMINA, KARIM}

    await registry.leave([connection(KARIM, "2")])
    assert await registry.present([AMINA, KARIM, LINA]) == {AMINA}


async def test_a_user_is_present_as_long_as_one_connection_is(registry):
    await registry.enter([connection(AMINA, "1"), connection(AMINA, "2")])
    await registry.leave([connection(AMINA, "1")])
    assert await registry.present([AMINA]) == {AMINA}

    await registry.leave([connection(AMINA, "2")])
    assert await registry.present([AMINA]) == frozenset()


async def test_connections_are_told_with_what_others_may_see(registry):
    shown = connection(AMINA, "1", '{"name":"أمينة"}'.encode())
    await registry.enter([shown, connection(AMINA, "2"), connection(KARIM, "3")])

    assert await registry.connections([AMINA, LINA, AMINA]) == {
        "1": shown,
        "2": connection(AMINA, "2"),
    }


async def test_entering_twice_and_leaving_twice_is_harmless(registry):
    for _ in range(2):
        await registry.enter([connection(AMINA, "1")])
    for _ in range(2):
        await registry.leave([connection(AMINA, "1")])

    assert await registry.present([AMINA]) == frozenset()


async def test_nobody_asked_for_is_nobody_present(registry):
    await registry.enter([])
    await registry.leave([])

    assert await registry.present([]) == frozenset()
    assert await registry.connections([]) == {}


async def test_many_are_found_at_once(registry):
    users = [UserId(f"user-{number}") for number in range(2500)]
    await registry.enter([connection(each, f"c-{each}") for each in users])

    assert await registry.present(users) == frozenset(users)


# --- what only several nodes can show -------------------------------------------------------------


@pytest.mark.external
async def test_nodes_see_each_other(redis, prefix):
    one, two = node_of(redis, prefix), node_of(redis, prefix)
    await one.renew()
    await two.renew()
    await one.enter([connection(AMINA, "1")])
    await two.enter([connection(AMINA, "2"), connection(KARIM, "3")])

    assert set(await one.connections([AMINA, KARIM])) == {"1", "2", "3"}
    await one.leave([connection(AMINA, "1")])
    assert await two.present([AMINA]) == {AMINA}


async def give_up(redis: Redis | RedisCluster, prefix: str) -> None:
    """What happens to every node that does not renew in time."""
    async for life in redis.scan_iter(f"{prefix}:*@*"):
        await redis.delete(life)


@pytest.mark.external
async def test_a_node_that_dies_takes_its_users_with_it(redis, prefix):
    dead, alive = node_of(redis, prefix), node_of(redis, prefix)
    await dead.renew()
    await alive.renew()
    await dead.enter([connection(AMINA, "1"), connection(KARIM, "2")])
    await alive.enter([connection(KARIM, "3")])

    await give_up(redis, prefix)
    await alive.renew()

    assert set(await alive.connections([AMINA, KARIM])) == {"3"}
    assert [key async for key in redis.scan_iter(f"{prefix}:*:{AMINA}")] == []


@pytest.mark.external
async def test_a_node_that_was_given_up_comes_back_with_all_its_users(redis, prefix):
    node, other = node_of(redis, prefix), node_of(redis, prefix)
    await node.renew()
    await node.enter([connection(AMINA, "1")])
    await give_up(redis, prefix)
    assert await other.present([AMINA]) == frozenset()

    await node.renew()

    assert await other.present([AMINA]) == {AMINA}


@pytest.mark.external
async def test_who_left_while_their_node_was_given_up_does_not_come_back(redis, prefix):
    node, other = node_of(redis, prefix), node_of(redis, prefix)
    await node.renew()
    await node.enter([connection(AMINA, "1"), connection(KARIM, "2")])
    await give_up(redis, prefix)

    await node.leave([connection(AMINA, "1")])
    await node.renew()

    assert await other.present([AMINA, KARIM]) == {KARIM}


@pytest.mark.external
async def test_a_shard_that_forgot_everything_is_told_again(redis, prefix):
    """The other shards of a Redis Cluster still know that the node lives."""
    node = node_of(redis, prefix)
    await node.renew()
    await node.enter([connection(user_id, f"c-{user_id}") for user_id in (AMINA, KARIM, LINA)])
    [shard] = [key async for key in redis.scan_iter(f"{prefix}:*:{AMINA}")]
    tag = shard.partition(b"{")[2].partition(b"}")[0].decode()
    async for key in redis.scan_iter(f"{prefix}:{{{tag}}}*"):
        await redis.delete(key)
    assert AMINA not in await node.present([AMINA])

    await node.renew()

    assert await node.present([AMINA, KARIM, LINA]) == {AMINA, KARIM, LINA}


@pytest.mark.external
async def test_an_entry_that_a_failover_lost_is_made_up_for(redis, prefix):
    node = node_of(redis, prefix)
    await node.renew()
    await node.enter([connection(AMINA, "1")])
    [entry] = [key async for key in redis.scan_iter(f"{prefix}:*:{AMINA}")]
    await redis.delete(entry)

    for _ in range(PARTITIONS):
        await node.renew()

    assert await node.present([AMINA]) == {AMINA}


@pytest.mark.external
async def test_a_redis_that_forgot_everything_is_told_again(redis, prefix):
    node = node_of(redis, prefix)
    await node.renew()
    await node.enter([connection(AMINA, "1")])
    async for key in redis.scan_iter(f"{prefix}:*"):
        await redis.delete(key)
    assert await node.present([AMINA]) == frozenset()

    await node.renew()

    assert await node.present([AMINA]) == {AMINA}


@pytest.mark.external
async def test_a_node_lives_for_so_long_without_renewing(valkey_url, prefix):
    async with connected(valkey_url) as redis:
        node = node_of(redis, prefix, ttl=1.0)
        await node.renew()
        await node.enter([connection(AMINA, "1")])

        [life, *others] = [key async for key in redis.scan_iter(f"{prefix}:*@*")]
        assert 0 < await redis.pttl(life) <= 1000
        assert len(others) == PARTITIONS - 1


@pytest.mark.external
async def test_while_redis_is_away_everybody_is_remembered(valkey_server: ValkeyServer, prefix):
    async with connected(valkey_server.url) as redis:
        node = node_of(redis, prefix)
        await node.renew()
        await node.enter([connection(AMINA, "1"), connection(KARIM, "2")])
        valkey_server.kill()
        await node.enter([connection(LINA, "3")])
        await node.leave([connection(KARIM, "2")])
        for asked in (node.present([AMINA]), node.connections([AMINA]), node.renew()):
            with pytest.raises(Unavailable):
                await asked

        valkey_server.start()
        await node.renew()

        assert await node.present([AMINA, KARIM, LINA]) == {AMINA, LINA}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(url)
    yield client
    await client.aclose()
