"""Nodes know each other, and forget those that end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from kernel.adapters.memory_bus import MemoryBus
from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_options import RedisOptions
from kernel.bus import Bus, Publication
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.workers import Stop
from messaging.nodes.control import CONTROL
from messaging.nodes.news import Gone, Here, NodeInfo, census_of, to_all
from messaging.nodes.nodes import NodeOptions, Nodes
from messaging.types import NodeCounts
from tests.support.clock import ManualClock
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.metrics import value_of
from tests.support.realtime import Node, channel_of, serving, talking

OPTIONS = NodeOptions(announce_seconds=3.0, missing_seconds=10.0)


class NoisyBus(MemoryBus):
    """Remembers what was published."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Publication] = []

    def publish(self, publications: list[Publication]) -> None:
        self.published += publications
        super().publish(publications)


@pytest.fixture
def noisy() -> NoisyBus:
    return NoisyBus()


@pytest.fixture
def nodes(noisy, clock, metrics) -> Nodes:
    return made("here", noisy, clock, metrics=metrics)


def made(node_id: str, bus: Bus, clock: ManualClock, *, metrics: Metrics | None = None) -> Nodes:
    return Nodes(
        node_id=node_id,
        node_name=f"name of {node_id}",
        version="1.2.3",
        counts=lambda: NodeCounts(clients=4, users=3, subscriptions=2, channels=1),
        measures=lambda: {"rss_bytes": 5.0},
        bus=bus,
        clock=clock,
        metrics=metrics or Metrics(),
        options=OPTIONS,
    )


def described(node_id: str) -> NodeInfo:
    return NodeInfo(
        id=node_id,
        name="another",
        version="1.2.2",
        clients=0,
        users=0,
        subscriptions=0,
        channels=0,
        uptime_seconds=1.0,
    )


@asynccontextmanager
async def announcing(nodes: Nodes) -> AsyncIterator[Stop]:
    stop = Stop()
    running = asyncio.create_task(nodes.run(stop))
    await asyncio.sleep(0)
    yield stop
    stop.ask()
    await running


async def test_a_node_describes_itself(nodes, clock):
    clock.move(seconds=7)

    assert nodes.living() == [
        NodeInfo(
            id="here",
            name="name of here",
            version="1.2.3",
            clients=4,
            users=3,
            subscriptions=2,
            channels=1,
            uptime_seconds=7.0,
            measures={"rss_bytes": 5.0},
        )
    ]


async def test_a_node_is_alive_until_it_falls_silent(nodes, clock, metrics):
    gone: list[str] = []
    nodes.on_gone.append(gone.append)
    nodes.take(to_all(Here(node=described("there"))))
    clock.move(seconds=9)
    assert nodes.others() == {"there"}
    assert value_of(metrics, "messaging_nodes") == 2

    nodes.take(to_all(Here(node=described("there"))))
    clock.move(seconds=9)
    assert [each.id for each in nodes.living()] == ["here", "there"]

    clock.move(seconds=1)
    assert nodes.others() == frozenset()
    assert [each.id for each in nodes.living()] == ["here"]
    assert gone == ["there"]
    assert value_of(metrics, "messaging_nodes") == 1


async def test_a_node_that_says_goodbye_is_forgotten_at_once(nodes):
    nodes.take(to_all(Here(node=described("there"))))
    nodes.take(to_all(Gone(node_id="there")))
    nodes.take(to_all(Gone(node_id="never heard of")))

    assert nodes.others() == frozenset()


async def test_a_node_greets_until_it_is_heard_and_then_announces_itself(nodes, noisy, clock):
    greeting = [True, True]
    async with announcing(nodes):
        await passed(clock, seconds=0.5)
        assert [greets(each) for each in noisy.published] == greeting

        nodes.take(noisy.published[-1])
        await passed(clock, seconds=0.5)
        await passed(clock, seconds=2.5)
        assert [greets(each) for each in noisy.published] == [*greeting, False]
        await passed(clock, seconds=0.5)
        assert [greets(each) for each in noisy.published] == [*greeting, False, False]


async def test_a_node_says_when_it_ends(nodes, noisy):
    async with announcing(nodes):
        pass

    assert noisy.published[-1] == to_all(Gone(node_id="here"))


async def test_a_greeting_is_answered_at_once(nodes, noisy, clock):
    async with announcing(nodes):
        nodes.take(noisy.published[0])
        nodes.take(to_all(Here(node=described("there"), greeting=True)))
        await passed(clock, seconds=0)

        assert len(noisy.published) == 2


def greets(publication: Publication) -> bool:
    news = census_of(publication)
    assert isinstance(news, Here)
    return news.greeting


async def passed(clock: ManualClock, *, seconds: float) -> None:
    """Let time pass while a node rests, and let it act."""
    await clock.asleep()
    clock.move(seconds=seconds)
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"type":"node.here"}', b'{"type":"node.sings"}', b"not json"]
)
async def test_what_another_version_says_is_left_out(nodes, data):
    nodes.take(Publication(CONTROL, data))

    assert nodes.others() == frozenset()


@pytest.mark.parametrize(("announce", "missing"), [(0, 1), (2, 2), (3, 1)])
def test_a_node_must_be_able_to_announce_itself_in_time(announce, missing):
    with pytest.raises(ValueError, match="announce_seconds"):
        NodeOptions(announce_seconds=announce, missing_seconds=missing)


# --- two real nodes -------------------------------------------------------------------------------


@pytest.mark.external
async def test_two_nodes_know_each_other_at_once_and_what_they_hold(sqlite_database, valkey_url):
    async with AsyncExitStack() as opened:
        one, two = [
            await opened.enter_async_context(serving(Node(sqlite_database, bus=bus)))
            for bus in [await opened.enter_async_context(connected(valkey_url)) for _ in range(2)]
        ]
        await one.until(lambda: two.node_id in one.nodes.others())
        await two.until(lambda: one.node_id in two.nodes.others())

        there = await one.conversation(AMINA, KARIM)
        async with talking(one, AMINA) as amina, talking(one, AMINA), talking(one, KARIM):
            await amina.subscribe(channel_of(there))
            # Whoever greets is answered with what is there now.
            greeting = to_all(Here(node=described("guest"), greeting=True))
            two.bus.publish([greeting])
            await two.until(lambda: seen_by(two, one).clients == 3)

            seen = seen_by(two, one)
            assert (seen.users, seen.subscriptions, seen.channels) == (2, 1, 1)


@pytest.mark.external
async def test_two_nodes_answer_each_others_questions(sqlite_database, valkey_url):
    async def name(data: bytes) -> bytes:
        return b"asked about " + data

    async with AsyncExitStack() as opened:
        one, two = [
            await opened.enter_async_context(serving(Node(sqlite_database, bus=bus)))
            for bus in [await opened.enter_async_context(connected(valkey_url)) for _ in range(2)]
        ]
        await one.until(lambda: two.node_id in one.nodes.others())
        for node in (one, two):
            node.surveys.answer("name", name)

        survey = await one.surveys.survey("name", b"guests", timeout=10.0)

    assert survey.answers == dict.fromkeys((one.node_id, two.node_id), b"asked about guests")
    assert survey.is_complete


@pytest.mark.external
async def test_a_node_that_ends_in_order_is_forgotten_at_once(sqlite_database, valkey_url):
    async with (
        connected(valkey_url) as bus,
        connected(valkey_url) as another,
        serving(Node(sqlite_database, bus=bus)) as staying,
    ):
        async with serving(Node(sqlite_database, bus=another)) as leaving:
            await staying.until(lambda: leaving.node_id in staying.nodes.others())

        await staying.until(lambda: leaving.node_id not in staying.nodes.others())


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RedisBus]:
    options = RedisOptions(url=url, prefix="test_nodes:")
    bus = RedisBus(options, clock=SystemClock(), metrics=Metrics())
    await bus.open()
    yield bus
    await bus.close()


def seen_by(node: Node, other: Node) -> NodeInfo:
    [info] = [each for each in node.nodes.living() if each.id == other.node_id]
    return info


async def test_a_new_node_knows_nothing_against_anybody_until_it_heard_a_whole_round(nodes, clock):
    assert nodes.may_live("there")
    nodes.take(to_all(Here(node=described("here"))))
    clock.move(seconds=3.4)
    assert nodes.may_live("there")

    clock.move(seconds=0.2)

    assert not nodes.may_live("there")
    nodes.take(to_all(Here(node=described("there"))))
    assert nodes.may_live("there")


async def test_a_node_that_was_cut_off_listens_for_a_round_before_it_denies_anybody(nodes, clock):
    nodes.take(to_all(Here(node=described("here"))))
    nodes.take(to_all(Here(node=described("there"))))

    clock.move(seconds=11)
    assert nodes.may_live("there")
    nodes.take(to_all(Here(node=described("here"))))
    assert nodes.may_live("there")

    clock.move(seconds=4)
    assert not nodes.may_live("there")


async def test_a_node_that_ended_does_not_live(nodes, clock):
    nodes.take(to_all(Here(node=described("here"))))
    clock.move(seconds=4)
    nodes.take(to_all(Here(node=described("there"))))

    nodes.take(to_all(Gone(node_id="there")))

    assert not nodes.may_live("there")
