"""What the bus of a cluster does when Redis fails, restarts, falls silent or says no."""

import asyncio

import pytest
from redis.asyncio import Redis

from kernel.adapters.redis_bus import RedisBus, unpacked
from kernel.adapters.redis_options import RedisOptions
from kernel.backoff import Backoff
from kernel.bus import Gap, Publication
from kernel.clock import SystemClock
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from tests.support.bus import heard
from tests.support.metrics import value_of
from tests.support.servers import ValkeyServer, free_port, running

pytestmark = pytest.mark.external

SOON = Backoff(first=0.01, cap=0.05)


def bus_on(url, *, metrics=None, **options):
    return RedisBus(
        RedisOptions(**{"url": url, "timeout_seconds": 1.0, **options}),
        clock=SystemClock(),
        metrics=metrics or Metrics(),
        backoff=SOON,
    )


@pytest.fixture
async def flaky(valkey_server, metrics):
    """A bus on a server that this test may stop."""
    opened = bus_on(valkey_server.url, metrics=metrics, silence_seconds=0.2)
    await opened.open()
    yield opened
    await opened.close()


async def answering(bus):
    while not await bus.healthy():  # noqa: ASYNC110 - health can only be asked for
        await asyncio.sleep(0.01)


def publications(*channels):
    return [Publication(channel, b"{}") for channel in channels]


async def test_a_lost_connection_is_replaced_and_reported_as_a_gap(flaky, valkey_server):
    async with flaky.listen() as listener:
        await listener.follow(frozenset({"a", "b", "c"}))
        await listener.unfollow(frozenset({"c"}))

        valkey_server.kill()
        valkey_server.start()

        assert await heard(listener) == [Gap(frozenset({"a", "b"}))]


async def test_after_the_gap_everything_is_heard_again(flaky, valkey_server, metrics):
    channels = frozenset(str(number) for number in range(2000))
    async with flaky.listen() as listener:
        await listener.follow(channels)

        for _ in range(2):
            valkey_server.stop()
            valkey_server.start()
            assert await heard(listener) == [Gap(channels)]
            await answering(flaky)
            flaky.publish(publications("0", "1999"))
            assert await heard(listener, 2) == publications("0", "1999")

    assert value_of(metrics, "kernel_bus_gaps_total") == 2


async def test_an_idle_listener_that_lost_its_connection_has_missed_nothing(flaky, valkey_server):
    async with flaky.listen() as listener:
        valkey_server.kill()
        valkey_server.start()
        await listener.follow(frozenset({"a"}))
        await answering(flaky)
        flaky.publish(publications("a"))

        assert await heard(listener) == publications("a")


async def test_what_is_followed_while_redis_is_away_is_refused_and_followed_later(
    flaky, valkey_server
):
    async with flaky.listen() as listener:
        valkey_server.stop()
        with pytest.raises(Unavailable):
            await listener.follow(frozenset({"a"}))

        valkey_server.start()
        await listener.follow(frozenset({"a"}))
        await answering(flaky)
        flaky.publish(publications("a"))

        assert await heard(listener) == publications("a")


async def test_a_channel_left_while_redis_is_away_is_not_in_the_gap(flaky, valkey_server):
    async with flaky.listen() as listener:
        await listener.follow(frozenset({"a", "b"}))
        valkey_server.stop()
        await listener.unfollow(frozenset({"a"}))
        valkey_server.start()

        assert await heard(listener) == [Gap(frozenset({"b"}))]


async def test_a_server_that_falls_silent_is_given_up(flaky, valkey_server):
    async with flaky.listen() as listener:
        await listener.follow(frozenset({"a"}))

        valkey_server.pause()
        await asyncio.sleep(1.0)
        valkey_server.resume()

        assert await heard(listener) == [Gap(frozenset({"a"}))]


async def test_a_quiet_server_that_answers_is_kept(flaky):
    async with flaky.listen() as listener:
        await listener.follow(frozenset({"a"}))
        await asyncio.sleep(1.0)
        flaky.publish(publications("a"))

        assert await heard(listener) == publications("a")


async def test_publishing_while_redis_is_away_neither_waits_nor_raises(
    flaky, valkey_server, metrics
):
    valkey_server.stop()
    for _ in range(50):
        flaky.publish(publications(*"abc"))
        await asyncio.sleep(0)
    assert not await flaky.healthy()

    valkey_server.start()
    await answering(flaky)
    await flaky.close()

    counted = [
        value_of(metrics, "kernel_bus_publications_total", outcome=outcome)
        for outcome in ("sent", "dropped")
    ]
    assert sum(counted) == 150
    assert counted[1] > 0


async def test_what_does_not_fit_is_dropped_and_counted(valkey_url, metrics):
    bus = bus_on(valkey_url, metrics=metrics, waiting=5)
    await bus.open()
    bus.publish(publications(*"abcdefg"))
    bus.publish(publications("h"))
    await bus.close()

    assert value_of(metrics, "kernel_bus_publications_total", outcome="sent") == 5
    assert value_of(metrics, "kernel_bus_publications_total", outcome="dropped") == 3


async def test_a_slow_listener_holds_redis_back_and_loses_nothing(valkey_url):
    speaking = bus_on(valkey_url, prefix="slow:")
    slow = bus_on(valkey_url, prefix="slow:", waiting=10)
    await speaking.open()
    await slow.open()
    async with slow.listen() as listener:
        await listener.follow(frozenset({"a"}))
        for _ in range(20):
            speaking.publish(publications(*["a"] * 100))
            await asyncio.sleep(0.005)

        assert len(await heard(listener, 2000)) == 2000
    await speaking.close()
    await slow.close()


async def test_opening_without_a_server_is_refused():
    bus = bus_on(f"redis://127.0.0.1:{free_port()}/0")

    with pytest.raises(Unavailable):
        await bus.open()
    assert not await bus.healthy()
    await bus.close()


async def test_a_password_opens_both_connections():
    with running(ValkeyServer(password="secret")) as server:
        bus = bus_on(server.url.replace("//", "//:secret@"))
        await bus.open()
        async with bus.listen() as listener:
            await listener.follow(frozenset({"a"}))
            bus.publish(publications("a"))

            assert await heard(listener) == publications("a")
        await bus.close()


async def test_a_user_of_the_access_list_may_do_with_these_commands(valkey_server):
    admin = Redis.from_url(valkey_server.url)
    rights = "resetchannels &zaffa:* +publish +subscribe +unsubscribe +ping"
    await admin.execute_command("ACL", "SETUSER", "zaffa", "on", ">pass", *rights.split())
    await admin.aclose()
    bus = bus_on(valkey_server.url.replace("//", "//zaffa:pass@"))
    await bus.open()
    async with bus.listen() as listener:
        await listener.follow(frozenset({"a"}))
        bus.publish(publications("a"))

        assert await heard(listener) == publications("a")
    await bus.close()


async def test_a_wrong_password_is_tried_again_until_it_is_right(flaky, valkey_server):
    admin = Redis.from_url(valkey_server.url)
    async with flaky.listen() as listener:
        await listener.follow(frozenset({"a"}))
        await admin.config_set("requirepass", "secret")
        await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await asyncio.sleep(0.2)
        await admin.config_set("requirepass", "")

        assert await heard(listener) == [Gap(frozenset({"a"}))]
    await admin.aclose()


async def test_refused_publications_are_counted(valkey_server, metrics):
    admin = Redis.from_url(valkey_server.url)
    await admin.execute_command("ACL", "SETUSER", "mute", "on", ">pass", "+ping")
    await admin.aclose()
    bus = bus_on(valkey_server.url.replace("//", "//mute:pass@"), metrics=metrics)
    await bus.open()
    bus.publish(publications("a"))
    await bus.close()

    assert value_of(metrics, "kernel_bus_publications_total", outcome="dropped") == 1


async def test_what_a_later_release_sends_is_left_out(valkey_url):
    bus = bus_on(valkey_url, prefix="later:")
    await bus.open()
    stranger = Redis.from_url(valkey_url)
    async with bus.listen() as listener:
        await listener.follow(frozenset({"a"}))
        await stranger.publish("later:a", b"3:whatever\n{}")
        bus.publish(publications("a"))

        assert await heard(listener) == publications("a")
    await stranger.aclose()
    await bus.close()


async def test_what_does_not_speak_the_protocol_is_given_up(valkey_server):
    """An HTTP proxy took the port, say."""

    async def serve(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    bus = bus_on(url)
    async with bus.listen() as listener:
        with pytest.raises(Unavailable):
            await listener.follow(frozenset({"a"}))
    proxy.close()
    await proxy.wait_closed()


@pytest.mark.parametrize(
    "wrong",
    [{"url": "http://x"}, {"timeout_seconds": 0}, {"silence_seconds": 0}, {"waiting": 0}],
)
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RedisOptions(**wrong)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"3:1:e\n{}",
        b"2:9:1:e\n{}",
        b"2:-1\n{}",
        b"2\n{}",
        b"1:5\n{}",
        b"1:x:e\n{}",
        b"1:1:\xff\n{}",
        b"hello",
    ],
)
def test_what_nobody_of_ours_sent_is_left_out(payload):
    """It would end the connection that every channel of the node is heard on."""
    assert unpacked("a", payload) is None
