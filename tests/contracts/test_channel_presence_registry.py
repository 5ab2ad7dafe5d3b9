"""What both registries of who is subscribed to a channel promise."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis, RedisCluster

from kernel.adapters.redis_client import RedisClient
from kernel.adapters.redis_options import RedisOptions
from kernel.errors import Unavailable
from kernel.ids import UserId
from messaging.adapters.memory_presence import MemoryChannelPresence
from messaging.adapters.redis_presence import RedisChannelPresence
from messaging.ports import ChannelPresenceRegistry
from messaging.types import ChannelMember
from tests.support.factories_messaging import AMINA, KARIM, LINA
from tests.support.redis_setups import SETUPS, given_by
from tests.support.servers import ValkeyServer

HALL, GARDEN = "guests:hall", "guests:garden"


@pytest.fixture
async def redis(redis_options: RedisOptions) -> AsyncIterator[Redis | RedisCluster]:
    """Every way to have Redis."""
    client = RedisClient(redis_options)
    yield client.redis
    await client.close()


@pytest.fixture
def prefix(redis_options: RedisOptions) -> str:
    return f"{redis_options.prefix}presence"


def node_of(redis: Redis | RedisCluster, prefix: str, *, ttl: float = 5.0) -> RedisChannelPresence:
    return RedisChannelPresence(redis, ttl_seconds=ttl, prefix=prefix)


@pytest.fixture(params=["memory", *(pytest.param(s, marks=pytest.mark.external) for s in SETUPS)])
async def registry(request: pytest.FixtureRequest) -> AsyncIterator[ChannelPresenceRegistry]:
    if request.param == "memory":
        yield MemoryChannelPresence()
        return
    client = RedisClient(
        RedisOptions(prefix=f"zaffa:{uuid4().hex}:", **given_by(request, request.param))
    )
    there = node_of(client.redis, f"zaffa:{uuid4().hex}:presence")
    await there.renew()
    yield there
    await client.close()


def guest(client: str, user_id: UserId = AMINA, channel: str = HALL) -> ChannelMember:
    return ChannelMember(channel, client, user_id)


async def test_who_enters_is_a_member_until_they_leave(registry):
    await registry.enter([guest("1"), guest("2", KARIM), guest("3", LINA, GARDEN)])
    assert await registry.members(HALL) == {"1": guest("1"), "2": guest("2", KARIM)}

    await registry.leave([guest("2", KARIM)])
    assert await registry.members(HALL) == {"1": guest("1")}
    assert await registry.members(GARDEN) == {"3": guest("3", LINA, GARDEN)}


async def test_a_connection_is_in_each_of_its_channels(registry):
    await registry.enter([guest("1"), guest("1", channel=GARDEN)])
    await registry.leave([guest("1")])

    assert await registry.members(HALL) == {}
    assert await registry.members(GARDEN) == {"1": guest("1", channel=GARDEN)}


@pytest.mark.parametrize(
    ("conn", "chan"),
    [
        ('{"name":"أمينة"}'.encode(), b'{"table":4}'),
        (b'"x"', None),
        (None, b"[1, 2]"),
        (b"{}", b'""'),
    ],
)
async def test_members_are_told_with_what_others_may_see(registry, conn, chan):
    shown = ChannelMember(HALL, "1", AMINA, conn, chan)
    await registry.enter([shown, guest("2")])

    assert await registry.members(HALL) == {"1": shown, "2": guest("2")}


async def test_what_was_told_last_of_a_subscription_counts(registry):
    await registry.enter([guest("1")])
    changed = ChannelMember(HALL, "1", AMINA, None, b'{"table":5}')
    await registry.enter([changed])
    assert await registry.members(HALL) == {"1": changed}

    await registry.leave([guest("1")])
    assert await registry.members(HALL) == {}


async def test_clients_and_users_are_counted(registry):
    await registry.enter([guest("1"), guest("2"), guest("3", KARIM), guest("4", LINA, GARDEN)])

    assert await registry.counts(HALL) == (3, 2)
    assert await registry.counts(GARDEN) == (1, 1)
    assert await registry.counts("nowhere") == (0, 0)


async def test_anonymous_connections_are_one_user(registry):
    """Their user id is empty."""
    await registry.enter([guest("1", UserId("")), guest("2", UserId(""))])

    assert await registry.members(HALL) == {
        "1": guest("1", UserId("")),
        "2": guest("2", UserId("")),
    }
    assert await registry.counts(HALL) == (2, 1)


@pytest.mark.parametrize("odd", ["a:b", "{x}", "أمينة", "a\0b", " ", "*?[a]"])
async def test_any_text_may_name_channels_and_users(registry, odd):
    there = ChannelMember(f"guests:{odd}", "1", UserId(odd))
    await registry.enter([there])

    assert await registry.members(f"guests:{odd}") == {"1": there}
    await registry.leave([there])
    assert await registry.counts(f"guests:{odd}") == (0, 0)


async def test_entering_twice_and_leaving_twice_is_harmless(registry):
    for _ in range(2):
        await registry.enter([guest("1")])
    for _ in range(2):
        await registry.leave([guest("1")])

    assert await registry.counts(HALL) == (0, 0)


async def test_nothing_at_all_is_harmless(registry):
    await registry.enter([])
    await registry.leave([])
    await registry.renew()

    assert await registry.members(HALL) == {}


async def test_a_full_hall_is_told_whole(registry):
    crowd = [guest(f"c{number}", UserId(f"u{number % 1000}")) for number in range(2500)]
    await registry.enter(crowd)

    assert await registry.members(HALL) == {each.client: each for each in crowd}
    assert await registry.counts(HALL) == (2500, 1000)
    await registry.leave(crowd[1:])
    assert await registry.counts(HALL) == (1, 1)


# --- what only several nodes can show -------------------------------------------------------------


@pytest.mark.external
async def test_nodes_see_each_other(redis, prefix):
    one, two = node_of(redis, prefix), node_of(redis, prefix)
    await one.renew()
    await two.renew()
    await one.enter([guest("1")])
    await two.enter([guest("2"), guest("3", KARIM)])

    assert set(await one.members(HALL)) == {"1", "2", "3"}
    assert await two.counts(HALL) == (3, 2)
    await one.leave([guest("1")])
    assert await two.counts(HALL) == (2, 2)


async def give_up(redis: Redis | RedisCluster, prefix: str) -> None:
    """What happens to every node that does not renew in time."""
    async for life in redis.scan_iter(f"{prefix}:*@*"):
        await redis.delete(life)


@pytest.mark.external
async def test_a_node_that_dies_takes_its_members_with_it(redis, prefix):
    dead, alive = node_of(redis, prefix), node_of(redis, prefix)
    await dead.renew()
    await alive.renew()
    await dead.enter([guest("1"), guest("2", KARIM, GARDEN)])
    await alive.enter([guest("3", KARIM)])

    await give_up(redis, prefix)
    await alive.renew()

    assert await alive.members(HALL) == {"3": guest("3", KARIM)}
    assert await alive.counts(GARDEN) == (0, 0)
    assert [key async for key in redis.scan_iter(f"{prefix}:*:{GARDEN}")] == []


@pytest.mark.external
async def test_a_node_that_was_given_up_comes_back_with_its_members(redis, prefix):
    node, other = node_of(redis, prefix), node_of(redis, prefix)
    await node.renew()
    await node.enter([guest("1"), guest("2", KARIM)])
    await give_up(redis, prefix)
    await node.leave([guest("2", KARIM)])
    assert await other.members(HALL) == {}

    await node.renew()

    assert await other.members(HALL) == {"1": guest("1")}


@pytest.mark.external
async def test_a_redis_that_forgot_everything_is_told_again(redis, prefix):
    node = node_of(redis, prefix)
    await node.renew()
    await node.enter([guest("1")])
    async for key in redis.scan_iter(f"{prefix}:*"):
        await redis.delete(key)
    assert await node.members(HALL) == {}

    await node.renew()

    assert await node.members(HALL) == {"1": guest("1")}


@pytest.mark.external
async def test_while_redis_is_away_everybody_is_remembered(valkey_server: ValkeyServer, prefix):
    client = Redis.from_url(valkey_server.url)
    node = node_of(client, prefix)
    await node.renew()
    valkey_server.kill()
    await node.enter([guest("1")])
    for asked in (node.members(HALL), node.counts(HALL), node.renew()):
        with pytest.raises(Unavailable):
            await asked

    valkey_server.start()
    await node.renew()

    assert await node.members(HALL) == {"1": guest("1")}
    await client.aclose()
