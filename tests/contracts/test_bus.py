"""What every bus promises: in one process, on every way to have Valkey, and on Redis."""

import asyncio
import shutil
import uuid
from pathlib import Path

import pytest

from kernel.adapters.memory_bus import MemoryBus
from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_options import RedisOptions
from kernel.bus import Publication, StreamPosition
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from tests.support.bus import heard
from tests.support.redis_setups import SETUPS, given_by
from tests.support.servers import ValkeyServer, running

REDIS = shutil.which("redis-server")
SERVERS = [*SETUPS, *(["redis"] if REDIS else [])]


@pytest.fixture(scope="module")
def redis_url():
    with running(ValkeyServer(binary=Path(REDIS))) as server:
        yield server.url


@pytest.fixture(params=["memory", *(pytest.param(s, marks=pytest.mark.external) for s in SERVERS)])
async def nodes(request):
    """Two nodes on one bus."""
    if request.param == "memory":
        alone = MemoryBus()
        pair = [alone, alone]
    else:
        if request.param == "redis":
            given = {"url": request.getfixturevalue("redis_url")}
        else:
            given = given_by(request, request.param)
        options = RedisOptions(prefix=f"zaffa:{uuid.uuid4().hex}:", **given)
        pair = [RedisBus(options, clock=SystemClock(), metrics=Metrics()) for _ in range(2)]
    for node in pair:
        await node.open()
    yield pair
    for node in pair:
        await node.close()


@pytest.fixture
def here(nodes):
    return nodes[0]


@pytest.fixture
def there(nodes):
    return nodes[1]


def publication(channel="a", number=0):
    return Publication(channel, b'{"n":%d}' % number, StreamPosition(number, "epoch"))


async def test_what_one_node_publishes_another_hears_as_it_was(here, there):
    kept = Publication("user:بن_عمر", '{"t": "مرحبا\\n"}'.encode(), StreamPosition(2**62, "e:p"))
    async with there.listen() as listener:
        await listener.follow(frozenset({kept.channel}))
        here.publish([kept])

        assert await heard(listener) == [kept]


async def test_a_publication_may_have_no_position(here, there):
    fleeting = Publication("a", b'{"typing":true}')
    async with there.listen() as listener:
        await listener.follow(frozenset({"a"}))
        here.publish([fleeting])

        assert await heard(listener) == [fleeting]


@pytest.mark.parametrize("position", [None, StreamPosition(7, "e:p")])
async def test_what_a_room_adds_travels_beside_the_data(here, there, position):
    joined = Publication("a", b"", position, extra='{"join": "سارة",\n"b":1}'.encode())
    async with there.listen() as listener:
        await listener.follow(frozenset({"a"}))
        here.publish([joined])

        assert await heard(listener) == [joined]


async def test_a_node_hears_itself(here):
    async with here.listen() as listener:
        await listener.follow(frozenset({"a"}))
        here.publish([publication()])

        assert await heard(listener) == [publication()]


async def test_listening_may_begin_before_there_is_anything_to_follow(here, there):
    """The hub starts on an idle node."""
    async with there.listen() as listener:
        hearing = asyncio.create_task(heard(listener))
        await asyncio.sleep(0.05)
        await listener.follow(frozenset({"a"}))
        here.publish([publication()])

        assert await hearing == [publication()]


async def test_listening_goes_on_after_the_last_channel_was_left(here, there):
    async with there.listen() as listener:
        await listener.follow(frozenset({"a"}))
        await listener.unfollow(frozenset({"a"}))
        await asyncio.sleep(0.05)
        await listener.follow(frozenset({"b"}))
        here.publish([publication("b")])

        assert await heard(listener) == [publication("b")]


async def test_every_channel_keeps_its_order(here, there):
    async with there.listen() as listener:
        await listener.follow(frozenset({"a", "b"}))
        for number in range(0, 2000, 10):
            here.publish([publication("ab"[n % 2], n) for n in range(number, number + 10)])
            await asyncio.sleep(0)

        everything = await heard(listener, 2000)

    for channel, parity in (("a", 0), ("b", 1)):
        offsets = [each.position.offset for each in everything if each.channel == channel]
        assert offsets == list(range(parity, 2000, 2))


async def test_only_followed_channels_are_heard(here, there):
    async with there.listen() as listener:
        await listener.follow(frozenset({"a", "c"}))
        await listener.unfollow(frozenset({"c"}))
        here.publish([publication("b", 1), publication("c", 2), publication("a", 3)])

        assert await heard(listener) == [publication("a", 3)]


async def test_following_twice_is_harmless(here, there):
    async with there.listen() as listener:
        await listener.follow(frozenset({"a"}))
        await listener.follow(frozenset({"a", "b"}))
        here.publish([publication("a", 1), publication("b", 2)])

        # Order is promised per channel only: in a cluster each has a server of its own.
        found = sorted(await heard(listener, 2), key=lambda each: each.channel)
        assert found == [publication("a", 1), publication("b", 2)]


async def test_following_at_the_same_time_is_harmless(here, there):
    async with there.listen() as listener:
        await asyncio.gather(*(listener.follow(frozenset({"a"})) for _ in range(5)))
        here.publish([publication()])

        assert await heard(listener) == [publication()]


async def test_a_channel_that_was_left_and_followed_anew_misses_nothing_afterwards(here, there):
    async with there.listen() as listener:
        for number in range(100):
            await listener.follow(frozenset({"a"}))
            await listener.unfollow(frozenset({"a"}))
            await listener.follow(frozenset({"a"}))
            here.publish([publication(number=number)])
            assert await heard(listener) == [publication(number=number)]


async def test_leaving_what_was_never_followed_is_harmless(here):
    async with here.listen() as listener:
        await listener.unfollow(frozenset({"a"}))


async def test_following_nothing_returns(here):
    async with here.listen() as listener:
        await listener.follow(frozenset())


async def test_all_listeners_hear(here, there):
    async with here.listen() as one, there.listen() as two:
        await one.follow(frozenset({"a"}))
        await two.follow(frozenset({"a"}))
        here.publish([publication()])

        assert await heard(one) == await heard(two) == [publication()]


async def test_a_listener_that_left_disturbs_nobody(here, there):
    async with here.listen() as staying:
        await staying.follow(frozenset({"a"}))
        async with there.listen() as leaving:
            await leaving.follow(frozenset({"a"}))
        here.publish([publication()])

        assert await heard(staying) == [publication()]


async def test_publishing_what_nobody_follows_is_harmless(here):
    here.publish([publication()])
    here.publish([])

    assert await here.healthy()


async def test_a_megabyte_arrives_whole(here, there):
    big = Publication("a", b'"' + b"x" * 1_000_000 + b'"', StreamPosition(1, "e"))
    async with there.listen() as listener:
        await listener.follow(frozenset({"a"}))
        here.publish([big, publication()])

        assert await heard(listener, 2) == [big, publication()]


async def test_ten_thousand_channels_are_followed(here, there):
    channels = [f"conversation:{number}" for number in range(10_000)]
    async with there.listen() as listener:
        await listener.follow(frozenset(channels))
        for start in range(0, 10_000, 500):
            here.publish([publication(channel) for channel in channels[start : start + 500]])
            await heard(listener, 500)


async def test_what_was_published_before_closing_is_still_sent(nodes):
    here, there = nodes
    async with there.listen() as listener:
        await listener.follow(frozenset({"a"}))
        here.publish([publication(number=number) for number in range(1000)])
        await here.close()

        assert len(await heard(listener, 1000)) == 1000
