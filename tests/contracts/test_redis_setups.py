"""What the bus of a cluster does when a shard fails over, a slot moves, a master changes."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis.crc import key_slot

from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_client import REDIS_ERRORS, RedisClient
from kernel.adapters.redis_options import RedisOptions
from kernel.backoff import Backoff
from kernel.bus import Gap, Listener, Publication
from kernel.clock import SystemClock
from kernel.errors import Unavailable
from kernel.ids import UserId
from kernel.metrics import Metrics
from messaging.adapters.redis_presence import RedisPresence
from messaging.types import Presence
from tests.support.bus import heard
from tests.support.metrics import value_of
from tests.support.redis_setups import (
    ValkeyCluster,
    ValkeySentinel,
    admin,
)
from tests.support.redis_tls import (
    SecuredCluster,
    SecuredSentinel,
    SecuredValkey,
    make_certificates,
)
from tests.support.servers import ValkeyServer, free_port, running

pytestmark = pytest.mark.external

SOON = Backoff(first=0.01, cap=0.1)
CHANNELS = frozenset(f"conversation:{number}" for number in range(300))


def bus_on(options: RedisOptions, metrics: Metrics | None = None) -> RedisBus:
    return RedisBus(options, clock=SystemClock(), metrics=metrics or Metrics(), backoff=SOON)


def options_of(url: str, **more: object) -> RedisOptions:
    return RedisOptions(
        **{"url": url, "timeout_seconds": 2.0, "silence_seconds": 0.5, "prefix": "zaffa:t:", **more}
    )


async def answering(bus: RedisBus) -> None:
    while not await bus.healthy():  # noqa: ASYNC110 - health can only be asked for
        await asyncio.sleep(0.01)


class Telling:
    """Somebody who goes on telling numbered things to every channel."""

    def __init__(self, bus: RedisBus, channels: frozenset[str], every: float = 0.02) -> None:
        self.told = 0
        self._bus = bus
        self._channels = channels
        self._every = every

    async def run(self) -> None:
        while True:
            self.told += 1
            number = b"%d" % self.told
            self._bus.publish([Publication(channel, number) for channel in self._channels])
            await asyncio.sleep(self._every)


class Hearing:
    """Somebody who keeps what was heard."""

    def __init__(self) -> None:
        self.gaps: list[frozenset[str]] = []
        self.numbers: dict[str, list[int]] = {}

    async def run(self, listener: Listener) -> None:
        async for arrived in listener:
            for each in arrived:
                if isinstance(each, Gap):
                    self.gaps.append(each.channels)
                else:
                    self.numbers.setdefault(each.channel, []).append(int(each.data))

    async def until(self, true, *, within: float = 15.0) -> None:
        async with asyncio.timeout(within):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def slot_of(channel: str) -> int:
    return key_slot(b"zaffa:t:" + channel.encode())


# --- a cluster ------------------------------------------------------------------------------------


async def test_a_failover_is_a_gap_for_the_channels_of_that_shard_and_nothing_is_told_twice(
    failing_cluster: ValkeyCluster, metrics: Metrics
):
    dying, *_ = failing_cluster.primaries
    theirs = {each for each in CHANNELS if failing_cluster.primary_of(slot_of(each)) is dying}
    options = options_of(failing_cluster.url)
    speaking, bus, hearing = bus_on(options, metrics), bus_on(options), Hearing()
    await speaking.open()
    await bus.open()
    async with bus.listen() as listener:
        await listener.follow(CHANNELS)
        tasks = [
            asyncio.create_task(each)
            for each in (hearing.run(listener), Telling(speaking, CHANNELS).run())
        ]
        await hearing.until(lambda: len(hearing.numbers) == len(CHANNELS))

        dying.kill()
        await hearing.until(lambda: hearing.gaps)
        before = {each: hearing.numbers[each][-1] for each in theirs}
        await hearing.until(
            lambda: all(hearing.numbers[each][-1] > before[each] for each in theirs)
        )

        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await speaking.close()
    await bus.close()

    assert 0 < len(theirs) < len(CHANNELS)
    assert hearing.gaps == [theirs]
    for channel, numbers in hearing.numbers.items():
        assert numbers == sorted(set(numbers)), channel
    for channel in CHANNELS - theirs:
        numbers = hearing.numbers[channel]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), channel
    assert value_of(metrics, "kernel_bus_publications_total", outcome="dropped") > 0


async def test_a_shard_that_is_away_concerns_its_channels_alone(failing_cluster: ValkeyCluster):
    _, dying, _ = failing_cluster.primaries
    theirs, others = [
        sorted(
            each for each in CHANNELS if (failing_cluster.primary_of(slot_of(each)) is dying) is x
        )
        for x in (True, False)
    ]
    bus = bus_on(options_of(failing_cluster.url, timeout_seconds=0.5))
    await bus.open()
    async with bus.listen() as listener:
        await listener.follow(frozenset({theirs[0], others[0]}))

        dying.kill()
        with pytest.raises(Unavailable) as caught:
            await listener.follow(frozenset(theirs[:2]))
        await listener.follow(frozenset(others[:2]))
        for _ in range(20):
            bus.publish([Publication(theirs[1], b"1"), Publication(others[1], b"2")])
            assert await heard(listener) == [Publication(others[1], b"2")]
        assert not await bus.healthy()

        dying.start()
        await listener.follow(frozenset(theirs[:2]))
        await answering(bus)
        last = Publication(theirs[1], b"3")
        bus.publish([last])
        told: list[Publication | Gap] = []
        while last not in told:
            told += await heard(listener)
    await bus.close()

    # What waited for the shard, if anything, comes late but in order.
    assert [each for each in told if isinstance(each, Gap)] == [Gap(frozenset({theirs[0]}))]
    assert {each.data for each in told if isinstance(each, Publication)} <= {b"1", b"3"}
    assert str(dying.port) in caught.value.reason


@pytest.mark.parametrize("dies", [False, True], ids=["replica lives on", "replica dies"])
async def test_after_a_planned_failover_everything_is_heard_where_it_is_served_now(
    failing_cluster: ValkeyCluster, dies: bool
):
    """The old primary lives on as a replica, so no connection breaks."""
    leaving, *_ = failing_cluster.primaries
    [successor] = failing_cluster.replicas
    theirs = {each for each in CHANNELS if failing_cluster.primary_of(slot_of(each)) is leaving}
    bus, hearing = bus_on(options_of(failing_cluster.url)), Hearing()
    await bus.open()
    async with bus.listen() as listener:
        await listener.follow(CHANNELS)
        tasks = [
            asyncio.create_task(each)
            for each in (hearing.run(listener), Telling(bus, CHANNELS).run())
        ]
        await hearing.until(lambda: len(hearing.numbers) == len(CHANNELS))

        with admin(successor) as client:
            await asyncio.to_thread(client.execute_command, "CLUSTER FAILOVER")
        await hearing.until(lambda: hearing.gaps)
        if dies:
            leaving.kill()
        before = {each: hearing.numbers[each][-1] for each in CHANNELS}
        await hearing.until(
            lambda: all(hearing.numbers[each][-1] > before[each] for each in CHANNELS)
        )

        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await bus.close()

    assert frozenset().union(*hearing.gaps) == theirs
    for channel, numbers in hearing.numbers.items():
        assert numbers == sorted(set(numbers)), channel


async def test_a_slot_that_moves_is_a_gap_for_its_channels_alone(valkey_cluster: ValkeyCluster):
    options = options_of(valkey_cluster.url)
    bus = bus_on(options)
    await bus.open()
    moving = "conversation:1"
    slot = slot_of(moving)
    source = valkey_cluster.primary_of(slot)
    [there, _] = [each for each in valkey_cluster.primaries if each is not source]
    async with bus.listen() as listener:
        await listener.follow(CHANNELS)
        try:
            valkey_cluster.move(slot, to=there)

            assert await heard(listener) == [Gap(frozenset({moving}))]
            told = [Publication(moving, b"1"), Publication("conversation:2", b"2")]
            for each in told:
                bus.publish([each])
                assert await heard(listener) == [each]
        finally:
            valkey_cluster.move(slot, to=source)
        assert await heard(listener) == [Gap(frozenset({moving}))]
    await bus.close()


async def test_what_is_followed_anew_after_a_slot_moved_is_found(valkey_cluster: ValkeyCluster):
    """The bus still believes in the old place when it asks, and is sent on."""
    bus = bus_on(options_of(valkey_cluster.url, silence_seconds=60.0))
    await bus.open()
    channel = "conversation:7"
    slot = slot_of(channel)
    source = valkey_cluster.primary_of(slot)
    [there, _] = [each for each in valkey_cluster.primaries if each is not source]
    async with bus.listen() as listener:
        await listener.follow(frozenset({"conversation:2"}))
        try:
            valkey_cluster.move(slot, to=there)
            await listener.follow(frozenset({channel}))
            bus.publish([Publication(channel, b"1")])
            assert await heard(listener) == [Publication(channel, b"1")]
        finally:
            valkey_cluster.move(slot, to=source)
    await bus.close()


async def test_one_server_that_knows_the_cluster_is_enough(valkey_cluster: ValkeyCluster):
    first, *_ = valkey_cluster.primaries
    url = f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{first.port}"
    bus = bus_on(options_of(url))
    await bus.open()
    async with bus.listen() as listener:
        await listener.follow(CHANNELS)
        bus.publish([Publication(channel, b"1") for channel in CHANNELS])

        assert len(await heard(listener, len(CHANNELS))) == len(CHANNELS)
    assert await bus.healthy()
    await bus.close()


async def test_a_server_that_is_no_cluster_is_refused(valkey_url: str):
    bus = bus_on(options_of(valkey_url.replace("redis://", "redis+cluster://").removesuffix("/0")))

    with pytest.raises(Unavailable) as caught:
        await bus.open()

    assert "cluster support disabled" in caught.value.reason
    await bus.close()


# --- Sentinel -------------------------------------------------------------------------------------


@pytest.fixture
def failing_master() -> Iterator[ValkeySentinel]:
    """A watched master for one test."""
    with ValkeySentinel.start(patience_ms=500) as watched:
        yield watched


async def test_the_master_that_takes_over_is_found_and_all_channels_have_a_gap(
    failing_master: ValkeySentinel,
):
    bus = bus_on(options_of(**failing_master.options))
    await bus.open()
    async with bus.listen() as listener:
        await listener.follow(CHANNELS)

        failing_master.master.kill()

        assert await heard(listener, within=15) == [Gap(CHANNELS)]
        await answering(bus)
        bus.publish([Publication("conversation:1", b"1")])
        assert await heard(listener) == [Publication("conversation:1", b"1")]
    await bus.close()


async def test_a_master_that_the_sentinels_do_not_know_is_refused(sentinel_valkey: ValkeySentinel):
    url = sentinel_valkey.options["url"].replace("wedding", "funeral")
    bus = bus_on(options_of(**{**sentinel_valkey.options, "url": url}))

    with pytest.raises(Unavailable) as caught:
        await bus.open()

    assert caught.value.reason == "no master is called funeral"
    await bus.close()


async def test_a_wrong_password_of_the_sentinels_is_refused(sentinel_valkey: ValkeySentinel):
    bus = bus_on(options_of(**{**sentinel_valkey.options, "sentinel_password": "wrong"}))

    with pytest.raises(Unavailable) as caught:
        await bus.open()

    assert "wrong" not in caught.value.reason.replace("WRONGPASS", "")
    await bus.close()


# --- a Unix socket --------------------------------------------------------------------------------


async def test_a_unix_socket_carries_the_bus_and_who_is_present(tmp_path):
    path = tmp_path / "redis.sock"
    with running(ValkeyServer(settings={"unixsocket": str(path)}, password="secret")):
        options = options_of(f"unix://:secret@{path}?db=1")
        bus, client = bus_on(options), RedisClient(options)
        await bus.open()
        async with bus.listen() as listener:
            await listener.follow(CHANNELS)
            bus.publish([Publication("conversation:1", b"1")])
            assert await heard(listener) == [Publication("conversation:1", b"1")]
        assert await client.redis.set("zaffa:t:key", "1")
        await client.close()
        await bus.close()


# --- who is present -------------------------------------------------------------------------------


async def test_presence_outlives_the_master(failing_master: ValkeySentinel):
    client = RedisClient(options_of(**failing_master.options))
    await presence_outlives(client, failing_master.master.kill)


async def test_presence_outlives_a_primary(failing_cluster: ValkeyCluster):
    client = RedisClient(options_of(failing_cluster.url))
    await presence_outlives(client, failing_cluster.primaries[0].kill)


async def test_a_shard_that_falls_silent_takes_only_its_own_users_with_it(
    failing_cluster: ValkeyCluster,
):
    prefix = "zaffa:t:presence"
    _, silent, _ = failing_cluster.primaries
    client = RedisClient(options_of(failing_cluster.url))
    node = RedisPresence(client.redis, ttl_seconds=3.0, prefix=prefix)
    users = [UserId(f"user-{n}") for n in range(100)]
    await node.renew()
    await node.enter([Presence(each, f"{each}-1") for each in users])
    with admin(silent) as there:
        theirs = {k.decode().rpartition(":")[2] for k in there.scan_iter(f"{prefix}:*:user-*")}
    others = [each for each in users if each not in theirs]
    assert theirs
    assert others

    silent.pause()
    left, *_ = theirs
    clock = SystemClock()
    began = clock.monotonic()
    while clock.monotonic() < began + 4.0:
        await node.renew()
        await node.leave([Presence(UserId(left), f"{left}-1")])
        await node.enter([Presence(UserId("late"), f"late-{n}") for n in range(3)])
        assert await node.present(others) == frozenset(others)
    silent.resume()

    expected = frozenset({*users, UserId("late")} - {left})
    await soon(node, [*users, UserId("late")], expected)
    await client.close()


async def soon(node: RedisPresence, asked: list[UserId], expected: frozenset[UserId]) -> None:
    """Renew until those who are expected are present, and nobody else."""
    async with asyncio.timeout(15):
        while True:
            with suppress(Unavailable):
                await node.renew()
                if await node.present(asked) == expected:
                    return
            await asyncio.sleep(0.05)


async def presence_outlives(client: RedisClient, disaster: Callable[[], None]) -> None:
    """A node that goes on renewing is there with all its connections, soon after."""
    node = RedisPresence(client.redis, ttl_seconds=5.0, prefix="zaffa:t:presence")
    everybody = [Presence(UserId(f"user-{n}"), f"client-{n}") for n in range(200)]
    user_ids = [each.user_id for each in everybody]
    await node.renew()
    await node.enter(everybody)

    disaster()

    await soon(node, user_ids, frozenset(user_ids))
    await client.close()


# --- TLS ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["authority", "certificate", "name"])
async def test_tls_is_as_strict_as_it_is_told_to_be(
    secured_valkey: SecuredValkey, missing: str, tmp_path
):
    given = dict(secured_valkey.options)
    if missing == "authority":
        make_certificates(tmp_path)
        given["tls_ca"] = str(tmp_path / "ca.pem")
    elif missing == "certificate":
        given["tls_certificate"] = given["tls_key"] = ""
    else:
        given["url"] = given["url"].replace("localhost", "127.0.0.1")
    bus, client = bus_on(options_of(**given)), RedisClient(options_of(**given))

    with pytest.raises(Unavailable):
        await bus.open()
    with pytest.raises(REDIS_ERRORS):
        await client.redis.set("zaffa:t:key", "1")
    await client.close()
    await bus.close()


async def test_every_server_of_a_cluster_is_reached_through_tls(tmp_path: Path):
    with SecuredCluster.start(tmp_path) as cluster:
        options = options_of(**cluster.options)
        bus, client = bus_on(options), RedisClient(options)
        await bus.open()
        async with bus.listen() as listener:
            await listener.follow(CHANNELS)
            bus.publish([Publication(channel, b"1") for channel in CHANNELS])
            told = await heard(listener, len(CHANNELS))
        present = RedisPresence(client.redis, ttl_seconds=60.0, prefix="zaffa:t:presence")
        user_ids = [UserId(f"user-{number}") for number in range(50)]
        await present.renew()
        await present.enter([Presence(each, f"{each}-1") for each in user_ids])

        assert {each.channel for each in told if isinstance(each, Publication)} == CHANNELS
        assert await present.present(user_ids) == frozenset(user_ids)
        await client.close()
        await bus.close()

        untrusting = bus_on(options_of(**{**cluster.options, "tls_ca": ""}))
        with pytest.raises(Unavailable):
            await untrusting.open()
        await untrusting.close()


async def test_sentinels_and_their_master_are_reached_through_tls(tmp_path: Path):
    with SecuredSentinel.start(tmp_path) as watched:
        options = options_of(**watched.options)
        bus, client = bus_on(options), RedisClient(options)
        await bus.open()
        async with bus.listen() as listener:
            await listener.follow(CHANNELS)
            bus.publish([Publication("conversation:1", b"1")])
            assert await heard(listener) == [Publication("conversation:1", b"1")]
        assert await client.redis.set("zaffa:t:key", "1")
        await client.close()
        await bus.close()

        for changed in (
            {"tls_ca": ""},
            {"url": watched.options["url"].replace("rediss", "redis")},
        ):
            refused = bus_on(options_of(**{**watched.options, **changed}))
            with pytest.raises(Unavailable):
                await refused.open()
            await refused.close()


async def test_the_name_in_a_certificate_may_be_left_unchecked(secured_valkey: SecuredValkey):
    given = dict(secured_valkey.options)
    given["url"] = given["url"].replace("localhost", "127.0.0.1")
    bus = bus_on(options_of(**given, tls_check_hostname=False))

    await bus.open()

    assert await bus.healthy()
    await bus.close()


async def test_a_file_that_is_not_there_is_named(secured_valkey: SecuredValkey):
    bus = bus_on(options_of(**{**secured_valkey.options, "tls_ca": "/nowhere/ca.pem"}))

    with pytest.raises(Unavailable) as caught:
        await bus.open()

    assert "/nowhere/ca.pem" in caught.value.reason
    await bus.close()
