"""Who listens where is asked of all nodes, and told only when all of them answered."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.errors import InvalidInput, Unavailable
from messaging.channel_counts import ChannelCounts
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from tests.support.realtime import Node, serving, talking

OPEN = ChannelSettings(
    namespaces={name: ChannelOptions(allow_subscribe_for_client=True) for name in ("news", "chat")}
)


def counts_of(node: Node, *, seconds: float = 5.0) -> ChannelCounts:
    return ChannelCounts(
        following=node.following, surveys=node.surveys, clock=node.clock, seconds=seconds
    )


@pytest.fixture
async def nodes(sqlite_database: Database) -> AsyncIterator[list[Node]]:
    bus = MemoryBus()
    async with AsyncExitStack() as opened:
        made = [
            await opened.enter_async_context(
                serving(Node(sqlite_database, bus=bus, channel_settings=OPEN))
            )
            for _ in range(2)
        ]
        for each in made:
            await each.until(lambda each=each: each.nodes.others())
        yield made


async def test_listeners_of_all_nodes_are_added_up(nodes: list[Node]) -> None:
    counts, _ = map(counts_of, nodes)
    async with AsyncExitStack() as opened:
        for number, channels in ((0, ["news:1"]), (1, ["news:1", "chat:1"]), (1, ["news:1"])):
            talker = await opened.enter_async_context(talking(nodes[number], "ami"))
            for channel in channels:
                await talker.subscribe(channel)

        assert await counts.ask("") == {"news:1": 3, "chat:1": 1}
        assert await counts.ask("c*") == {"chat:1": 1}
        assert await counts.ask("nobody") == {}


async def test_channels_without_listeners_are_left_out(nodes: list[Node]) -> None:
    counts, _ = map(counts_of, nodes)
    async with talking(nodes[1], "ami") as ami:
        await ami.subscribe("news:1")

        await ami.answer(ami.protocol.unsubscribe("news:1"))

        assert await counts.ask("") == {}


async def test_half_of_the_truth_is_refused(nodes: list[Node]) -> None:
    """The other node does not know the question, as an older release would not."""
    counts = counts_of(nodes[0])

    with pytest.raises(Unavailable):
        await counts.ask("")


async def test_what_is_no_pattern_is_refused_before_anybody_is_asked(nodes: list[Node]) -> None:
    counts, _ = map(counts_of, nodes)

    with pytest.raises(InvalidInput):
        await counts.ask("{news")
