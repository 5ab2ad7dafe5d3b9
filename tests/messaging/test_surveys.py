"""A question to every node is answered by all that live, or says who is missing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Bus, Publication
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from kernel.workers import Stop
from messaging.nodes import surveys as surveying
from messaging.nodes.control import CONTROL, node_channel
from messaging.nodes.news import Here, to_all
from messaging.nodes.nodes import NodeOptions, Nodes
from messaging.nodes.surveys import ANSWER_BYTES, PIECE_BYTES, Survey, Surveys
from messaging.types import NodeCounts
from tests.support.clock import ManualClock
from tests.support.metrics import value_of

LONG = 5.0
SHORT = 0.2


@dataclass
class Peer:
    """A node as far as surveys go."""

    nodes: Nodes
    surveys: Surveys
    metrics: Metrics

    async def hear(self, bus: Bus, followed: asyncio.Event) -> None:
        """What the hub does."""
        async with bus.listen() as listener:
            await listener.follow(frozenset({CONTROL, node_channel(self.nodes.node_id)}))
            followed.set()
            async for news in listener:
                for each in news:
                    if isinstance(each, Publication):
                        self.nodes.take(each)
                        self.surveys.take(each)


def peer(bus: Bus, node_id: str) -> Peer:
    metrics = Metrics()
    nodes = Nodes(
        node_id=node_id,
        node_name=node_id,
        version="1",
        counts=lambda: NodeCounts(0, 0, 0, 0),
        measures=dict,
        bus=bus,
        clock=ManualClock(),
        metrics=metrics,
        options=NodeOptions(),
    )
    return Peer(nodes, Surveys(nodes=nodes, bus=bus, metrics=metrics), metrics)


@asynccontextmanager
async def peers(bus: Bus, *node_ids: str) -> AsyncIterator[list[Peer]]:
    """Nodes that know each other and answer."""
    made = [peer(bus, node_id) for node_id in node_ids]
    stop = Stop()
    followed = [asyncio.Event() for _ in made]
    hearing = [
        asyncio.create_task(p.hear(bus, event)) for p, event in zip(made, followed, strict=True)
    ]
    working = [asyncio.create_task(each.surveys.run(stop)) for each in made]
    await asyncio.gather(*(event.wait() for event in followed))
    for each in made:
        for other in made:
            if other is not each:
                [myself] = other.nodes.living()[:1]
                each.nodes.take(to_all(Here(node=myself)))
    try:
        yield made
    finally:
        stop.ask()
        await asyncio.gather(*working)
        for task in hearing:
            task.cancel()
        await asyncio.wait(hearing)


async def test_every_node_answers_about_what_it_was_given(bus):
    async with peers(bus, "one", "two", "three") as nodes:
        for each in nodes:
            each.surveys.answer("greet", greeting_of(each))

        survey = await nodes[0].surveys.survey("greet", b"Amina \xff", timeout=LONG)

    assert survey.answers == {
        name: name.encode() + b" greets Amina \xff" for name in ("one", "two", "three")
    }
    assert survey.is_complete
    assert value_of(nodes[0].metrics, "messaging_surveys_total", outcome="complete") == 1


def greeting_of(node: Peer) -> surveying.Handler:
    async def greet(data: bytes) -> bytes:
        return node.nodes.node_id.encode() + b" greets " + data

    return greet


async def test_a_node_that_is_alone_answers_itself():
    async with peers(MemoryBus(), "alone") as [alone]:
        alone.surveys.answer("greet", greeting_of(alone))

        survey = await alone.surveys.survey("greet", b"x", timeout=LONG)

    assert survey == Survey({"alone": b"alone greets x"}, {}, frozenset())


async def test_large_answers_arrive_whole_in_pieces(bus):
    async with peers(bus, "one", "two") as [one, two]:
        large = bytes(range(256)) * (2 * PIECE_BYTES // 256) + b"end"

        async def much(_: bytes) -> bytes:
            return large

        async def little(_: bytes) -> bytes:
            return b""

        one.surveys.answer("much", little)
        two.surveys.answer("much", much)

        survey = await one.surveys.survey("much", timeout=LONG)

    assert survey.answers == {"one": b"", "two": large}


async def test_who_is_not_heard_in_time_is_missing(bus):
    async with peers(bus, "one", "two", "three") as [one, two, three]:

        async def dawdle(_: bytes) -> bytes:
            await asyncio.sleep(LONG)
            return b"late"

        one.surveys.answer("greet", greeting_of(one))
        two.surveys.answer("greet", greeting_of(two))
        three.surveys.answer("greet", dawdle)

        survey = await one.surveys.survey("greet", timeout=SHORT)

    assert set(survey.answers) == {"one", "two"}
    assert survey.missing == {"three"}
    assert not survey.is_complete
    assert value_of(one.metrics, "messaging_surveys_total", outcome="incomplete") == 1


async def test_who_ends_meanwhile_is_not_waited_for():
    async with peers(MemoryBus(), "one", "two") as [one, two]:
        leaving = asyncio.Event()

        async def leave(_: bytes) -> bytes:
            leaving.set()
            await asyncio.sleep(0.1)
            return b"nobody waits for this"

        one.surveys.answer("greet", greeting_of(one))
        two.surveys.answer("greet", leave)
        asking = asyncio.create_task(one.surveys.survey("greet", timeout=LONG))
        await leaving.wait()
        stop = Stop()
        stop.ask()
        await two.nodes.run(stop)

        assert await asking == Survey({"one": b"one greets "}, {}, frozenset())


async def test_who_cannot_answer_says_why(bus):
    async with peers(bus, "older", "away", "one") as [_, away, one]:

        async def refuse(_: bytes) -> bytes:
            raise Unavailable("The database does not answer.")

        away.surveys.answer("greet", refuse)
        one.surveys.answer("greet", greeting_of(one))

        survey = await one.surveys.survey("greet", timeout=LONG)

    assert survey.refused == {
        "older": "The node does not know this question.",
        "away": "The database does not answer.",
    }
    assert set(survey.answers) == {"one"}
    assert not survey.missing


async def test_an_answer_has_a_limit():
    async with peers(MemoryBus(), "one", "two") as [one, two]:

        async def too_much(_: bytes) -> bytes:
            return bytes(ANSWER_BYTES + 1)

        for each in (one, two):
            each.surveys.answer("much", too_much)

        survey = await one.surveys.survey("much", timeout=LONG)

    assert survey.refused == dict.fromkeys(("one", "two"), "The answer is too large.")


async def test_a_node_works_on_so_many_answers_at_once():
    async with peers(MemoryBus(), "one", "two") as [one, two]:
        enough = asyncio.Event()

        async def wait(_: bytes) -> bytes:
            await enough.wait()
            return b"done"

        async def answer(_: bytes) -> bytes:
            return b"done"

        one.surveys.answer("wait", answer)
        two.surveys.answer("wait", wait)
        asking = [
            asyncio.create_task(one.surveys.survey("wait", timeout=LONG))
            for _ in range(surveying.AT_ONCE + 1)
        ]
        await asyncio.sleep(0.05)
        enough.set()
        surveys = await asyncio.gather(*asking)

    assert sum("two" in each.refused for each in surveys) == 1
    assert sum("two" in each.answers for each in surveys) == surveying.AT_ONCE


async def test_a_lost_piece_makes_its_node_missing():
    class Leaky(MemoryBus):
        def publish(self, publications: list[Publication]) -> None:
            super().publish([each for each in publications if b'"piece":1' not in each.data])

    async with peers(Leaky(), "one", "two") as [one, two]:

        async def much(_: bytes) -> bytes:
            return bytes(3 * PIECE_BYTES)

        async def little(_: bytes) -> bytes:
            return b""

        one.surveys.answer("much", little)
        two.surveys.answer("much", much)

        survey = await one.surveys.survey("much", timeout=SHORT)

    assert survey.missing == {"two"}


@pytest.mark.parametrize("data", [b"", b'{"type":"survey.ask"}', b'{"type":"survey.sings"}'])
async def test_what_another_version_says_is_left_out(data):
    async with peers(MemoryBus(), "one") as [one]:
        one.surveys.take(Publication(CONTROL, data))
