"""A history that was removed is not found in any node's memory either."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Publication
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.nodes.control import CONTROL
from messaging.protocol.values import StreamPosition
from messaging.publishing.clearing import Clearing
from messaging.publishing.publishing import Words
from tests.support.realtime import Node, serving, talking

KEPT = ChannelSettings(
    namespaces={
        "kept": ChannelOptions(
            allow_subscribe_for_client=True,
            history_size=10,
            history_ttl="1h",
            force_recovery=True,
        )
    }
)


def clearing_of(node: Node) -> Clearing:
    clearing = Clearing(store=node.publications, following=node.following, bus=node.bus)
    node.hub.confidants.append(clearing.take)
    return clearing


@pytest.fixture
async def nodes(sqlite_database: Database) -> AsyncIterator[list[Node]]:
    bus = MemoryBus()
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(
                serving(Node(sqlite_database, bus=bus, channel_settings=KEPT))
            )
            for _ in range(2)
        ]


async def test_what_was_removed_is_not_recovered_on_another_node(nodes: list[Node]) -> None:
    here, there = nodes
    clearing, _ = map(clearing_of, nodes)
    async with talking(there, "ami") as ami:
        await ami.subscribe("kept:1")
        regretted = await here.publishing.publish("kept:1", Words(b'"regretted"'))
        assert regretted is not None
        await ami.until(lambda: ami.offsets("kept:1") == [1])

        await clearing.clear("kept:1")
        await here.publishing.publish("kept:1", Words(b'"after"'))
        await ami.until(lambda: ami.offsets("kept:1") == [1, 2])

        positions = {"kept:1": StreamPosition(0, regretted.epoch)}
        async with talking(there, "bouchra", positions=positions) as bouchra:
            result = await bouchra.subscribe("kept:1")
    assert (result.was_recovering, result.recovered, result.publications) == (True, False, ())


async def test_other_news_of_the_control_channel_are_left_to_others(nodes: list[Node]) -> None:
    clearing = clearing_of(nodes[0])

    clearing.take(Publication(CONTROL, b'{"type":"node.gone","node_id":"x"}'))
    clearing.take(Publication(CONTROL, b"no JSON"))
    clearing.take(Publication(CONTROL, b'{"type":"stream.cleared","channel":"followed by nobody"}'))
