"""Streams of channels that lose their last publication, their past, or themselves."""

from collections.abc import AsyncIterator

import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Publication
from kernel.metrics import Metrics
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_publications import SqlPublications
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.delivery.following import HubOptions
from messaging.protocol import events
from messaging.publishing.publishing import Words
from messaging.upkeep import StreamUpkeep
from tests.support.clock import ManualClock
from tests.support.factories_messaging import AMINA
from tests.support.realtime import Node, serving, talking

KEPT = ChannelOptions(
    allow_subscribe_for_client=True, history_size=5, history_ttl="1h", force_recovery=True
)


class DeafBus(MemoryBus):
    """Carries nothing while it is deaf."""

    deaf = False

    def publish(self, publications: list[Publication]) -> None:
        if not self.deaf:
            super().publish(publications)


@pytest.fixture
def bus() -> DeafBus:
    return DeafBus()


@pytest.fixture
async def node(sqlite_database: Database, bus: DeafBus) -> AsyncIterator[Node]:
    """It never compares by itself within a test."""
    node = Node(
        sqlite_database,
        bus=bus,
        hub_options=HubOptions(poll_seconds=200, compare_seconds=400),
        channel_settings=ChannelSettings(namespaces={"kept": KEPT}),
    )
    async with serving(node) as running:
        await running.until(lambda: running.catchup._cursor is not None)
        yield running


async def compared(node: Node) -> None:
    """The next comparison with the database is due now."""
    now = node.clock.monotonic()
    node.catchup._polled_at = now - node.hub_options.poll_seconds
    node.catchup._compared_at = now - node.hub_options.compare_seconds
    await node.catchup.step()


async def publish(node: Node, number: int) -> None:
    await node.publishing.publish("kept:1", Words(b"%d" % number))


async def test_a_lost_last_publication_is_found_by_comparing(node, bus):
    async with talking(node, AMINA) as amina:
        await amina.subscribe("kept:1")
        await publish(node, 1)
        bus.deaf = True
        await publish(node, 2)
        await publish(node, 3)

        await compared(node)

        await amina.until(lambda: amina.offsets("kept:1") == [1, 2, 3])


async def test_a_hole_is_found_by_what_comes_after_it(node, bus):
    async with talking(node, AMINA) as amina:
        await amina.subscribe("kept:1")
        bus.deaf = True
        await publish(node, 1)
        bus.deaf = False
        await publish(node, 2)

        await amina.until(lambda: amina.offsets("kept:1") == [1, 2])


async def test_who_missed_more_than_is_kept_subscribes_anew_and_is_told(node, bus):
    async with talking(node, AMINA) as amina:
        first = await amina.subscribe("kept:1")
        bus.deaf = True
        for number in range(7):
            await publish(node, number)

        await compared(node)

        await amina.until(lambda: amina.pushes)
        assert amina.pushes[0].event == events.Unsubscribe(2500, "insufficient state")
        again = await amina.subscribe("kept:1")
        assert (again.was_recovering, again.recovered) == (True, False)
        assert (again.offset, again.epoch) == (7, first.epoch)


async def test_who_listens_to_a_stream_that_is_forgotten_subscribes_anew(node):
    async with talking(node, AMINA) as amina:
        first = await amina.subscribe("kept:1")
        await publish(node, 1)
        await amina.until(lambda: amina.offsets("kept:1") == [1])

        # The publication, and the stream itself.
        assert await StreamUpkeep(store=ahead(node, days=31), clock=node.clock).step() == 2
        await compared(node)

        await amina.until(lambda: len(amina.pushes) == 2)
        assert amina.pushes[1].event == events.Unsubscribe(2500, "insufficient state")
        again = await amina.subscribe("kept:1")
        assert (again.was_recovering, again.recovered) == (True, False)
        assert again.epoch != first.epoch


def ahead(node: Node, *, days: int) -> SqlPublications:
    """The node's streams, as a process sees them whose clock is ahead."""
    clock = ManualClock()
    clock.move(days=days, seconds=max(0.0, (node.clock.now() - clock.now()).total_seconds()))
    return SqlPublications(
        database=node.database, clock=clock, metrics=Metrics(), options=BatchOptions()
    )
