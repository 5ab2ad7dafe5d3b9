"""Publishing the same to many channels: one call to the bus, one transaction, an answer each."""

import asyncio
from collections.abc import Sequence

import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Publication, StreamPosition
from kernel.clock import SystemClock
from kernel.errors import InvalidInput, Refusal
from kernel.metrics import Metrics
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_publications import SqlPublications
from messaging.channels.namespaces import ChannelOptions, ChannelSettings, Namespaces
from messaging.errors import ChannelUnknown
from messaging.ports import PublicationStore
from messaging.publishing.publishing import Publishing, Words
from tests.support.metrics import value_of

SETTINGS = ChannelSettings(
    namespaces={
        "kept": ChannelOptions(history_size=10, history_ttl="1h"),
        "passing": ChannelOptions(),
    }
)


class RememberingBus(MemoryBus):
    """A bus that knows what was handed over in which call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[Publication]] = []

    def publish(self, publications: list[Publication]) -> None:
        self.calls.append(publications)
        super().publish(publications)


@pytest.fixture
def bus() -> RememberingBus:
    return RememberingBus()


@pytest.fixture
def store(database: Database, metrics: Metrics) -> PublicationStore:
    return SqlPublications(
        database=database, clock=SystemClock(), metrics=metrics, options=BatchOptions()
    )


@pytest.fixture
def publishing(store: PublicationStore, bus: RememberingBus) -> Publishing:
    return Publishing(store=store, bus=bus, namespaces=Namespaces(SETTINGS), clock=SystemClock())


def codes(outcomes: Sequence[StreamPosition | Refusal | None]) -> list[object]:
    return [type(each) if isinstance(each, Refusal) else each and each.offset for each in outcomes]


async def test_what_passes_goes_to_the_bus_in_one_call(
    publishing: Publishing, bus: RememberingBus
) -> None:
    channels = [f"passing:{number}" for number in range(100)]

    outcomes = await publishing.broadcast(channels, Words(b"1"))

    assert outcomes == [None] * 100
    assert [[each.channel for each in call] for call in bus.calls] == [channels]


async def test_each_channel_has_an_answer_of_its_own(
    publishing: Publishing, bus: RememberingBus
) -> None:
    channels = ["kept:1", "nowhere:1", "passing:1", "", "kept:2", "kept:1"]

    outcomes = await publishing.broadcast(channels, Words(b'{"a":1}', tags={"b": "c"}))

    assert codes(outcomes) == [1, ChannelUnknown, None, InvalidInput, 1, 2]
    told = [each for call in bus.calls for each in call]
    assert sorted(each.channel for each in told) == ["kept:1", "kept:1", "kept:2", "passing:1"]
    assert {(each.data, each.extra) for each in told} == {(b'{"a":1}', b'{"tags":{"b":"c"}}')}


async def test_what_is_kept_shares_a_transaction(
    publishing: Publishing, database: Database, metrics: Metrics
) -> None:
    channels = [f"kept:{number}" for number in range(200)]

    outcomes = await publishing.broadcast(channels, Words(b"1"))

    assert codes(outcomes) == [1] * 200
    assert value_of(metrics, "messaging_batch_publications_count") == 1
    assert value_of(metrics, "messaging_batch_publications_sum") == 200


async def test_a_key_counts_for_each_channel(publishing: Publishing, bus: RememberingBus) -> None:
    words = Words(b"1", idempotency_key="once")

    first = await publishing.broadcast(["kept:1", "passing:1"], words)
    again = await publishing.broadcast(["kept:1", "passing:1", "kept:2"], words)

    assert codes(first) == [1, None]
    assert codes(again) == [1, None, 1]
    assert again[0] == first[0]
    told = sorted(each.channel for call in bus.calls for each in call)
    assert told == ["kept:1", "kept:2", "passing:1"]


async def test_words_that_will_do_nowhere_are_refused_as_a_whole(
    publishing: Publishing, bus: RememberingBus
) -> None:
    with pytest.raises(InvalidInput):
        await publishing.broadcast(["kept:1", "passing:1"], Words(b"no JSON"))

    await asyncio.sleep(0)
    assert bus.calls == []
