"""Publishing to channels: what is refused, what is kept, and what is said once."""

from typing import Any

import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Publication
from kernel.errors import InvalidInput, Refusal
from kernel.metrics import Metrics
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_publications import SqlPublications
from messaging.channels.namespaces import ChannelOptions, ChannelSettings, Namespaces
from messaging.delivery.extras import read
from messaging.errors import ChannelUnknown
from messaging.protocol.values import ClientInfo
from messaging.publishing.publishing import Publishing, Words
from tests.support.clock import ManualClock

SETTINGS = ChannelSettings(
    namespaces={
        "kept": ChannelOptions(history_size=3, history_ttl="1h"),
        "passing": ChannelOptions(),
    },
    data_bytes=100,
    idempotency_seconds=60,
)
BOTH = pytest.mark.parametrize("channel", ["kept:1", "passing:1"])


class Heard(MemoryBus):
    """Remembers what was published."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Publication] = []

    def publish(self, publications: list[Publication]) -> None:
        self.all += publications


@pytest.fixture
def bus() -> Heard:
    return Heard()


@pytest.fixture
def store(sqlite_database: Database, clock: ManualClock) -> SqlPublications:
    return SqlPublications(
        database=sqlite_database, clock=clock, metrics=Metrics(), options=BatchOptions()
    )


@pytest.fixture
def publishing(store: SqlPublications, bus: Heard, clock: ManualClock) -> Publishing:
    return Publishing(store=store, bus=bus, namespaces=Namespaces(SETTINGS), clock=clock)


@BOTH
@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("data", {"data": b""}),
        ("data", {"data": b"no json"}),
        ("data", {"data": b'"\xff"'}),
        ("data", {"data": b'"' + b"x" * 99 + b'"'}),
        ("tags", {"tags": {str(number): "" for number in range(17)}}),
        ("tags", {"tags": {"table": "x" * 252}}),
        ("tags", {"tags": {"table": "ض" * 126}}),
        ("idempotency_key", {"idempotency_key": "k" * 65}),
        ("idempotency_key", {"idempotency_key": "a\nb"}),
        ("version", {"version": -1}),
        ("version", {"version": 2**63}),
        ("version_epoch", {"version_epoch": "e" * 65}),
    ],
)
async def test_what_is_not_sound_is_refused_with_its_field(publishing, bus, channel, field, words):
    with pytest.raises(InvalidInput) as caught:
        await publishing.publish(channel, Words(**{"data": b"{}", **words}))

    assert caught.value.details["field"] == field
    assert not bus.all


@BOTH
@pytest.mark.parametrize(
    "words",
    [
        {"data": b'"' + b"x" * 98 + b'"'},
        {"tags": {str(number): "" for number in range(16)}},
        {"tags": {"table": "x" * 251}},
        {"idempotency_key": "k" * 64},
        {"version": 2**63 - 1, "version_epoch": "e" * 64},
    ],
)
async def test_what_is_just_within_the_limits_is_published(publishing, bus, channel, words):
    await publishing.publish(channel, Words(**{"data": b"{}", **words}))

    assert len(bus.all) == 1


@pytest.mark.parametrize(
    ("channel", "refusal"),
    [
        ("", InvalidInput),
        ("x" * 256, InvalidInput),
        ("\0control", InvalidInput),
        ("conversation:018f3c50-0000-7000-8000-000000000000", InvalidInput),
        ("conversation:1", ChannelUnknown),
        ("nowhere:1", ChannelUnknown),
    ],
)
async def test_a_channel_that_is_none_is_refused(publishing, bus, channel, refusal):
    with pytest.raises(refusal):
        await publishing.publish(channel, Words(b"{}"))

    assert not bus.all


async def test_where_a_history_is_kept_a_publication_has_a_place(publishing, store, bus):
    info = ClientInfo("amina", "a-client", b'{"name":1}', b"")
    words = Words(b'{"a":\n1}', info=info, tags={"table": "7"})

    position = await publishing.publish("kept:1", words)

    assert position is not None
    (told,) = bus.all
    assert (told.position, told.data) == (position, b'{"a": 1}')
    assert (read(told.extra).info, read(told.extra).tags) == (info, {"table": "7"})
    assert await store.since("kept:1", offset=0, limit=9) == [told]


async def test_elsewhere_it_passes(publishing, store, bus):
    assert await publishing.publish("passing:1", Words(b"{}")) is None
    assert await publishing.publish("kept:1", Words(b"{}", skip_history=True)) is None

    assert [each.position for each in bus.all] == [None, None]
    assert await store.since("kept:1", offset=0, limit=9) == []


@BOTH
@pytest.mark.parametrize("skips", [False, True])
async def test_the_same_key_publishes_once_until_it_is_forgotten(
    publishing, bus, clock, channel, skips
):
    words = Words(b"{}", idempotency_key="k", skip_history=skips)

    first = await publishing.publish(channel, words)
    again = await publishing.publish(channel, words)
    elsewhere = await publishing.publish("passing:2", words)
    clock.move(seconds=61)
    later = await publishing.publish(channel, words)

    assert [each.channel for each in bus.all] == [channel, "passing:2", channel]
    assert first == again
    assert elsewhere is None
    if channel == "kept:1" and not skips:
        assert later.offset == 2


async def test_an_old_version_is_not_published(publishing, bus):
    for version in (5, 5, 4, 6):
        await publishing.publish("kept:1", Words(b"%d" % version, version=version))
    await publishing.publish("kept:1", Words(b"1", version=1, version_epoch="new"))

    assert [each.data for each in bus.all] == [b"5", b"6", b"1"]


async def test_a_broadcast_says_of_each_channel_what_became_of_it(publishing, bus):
    outcomes: list[Any] = await publishing.broadcast(
        ["kept:1", "nowhere:1", "passing:1", "kept:1", ""], Words(b"{}", tags={"a": "b"})
    )

    assert [getattr(each, "offset", None) for each in outcomes] == [1, None, None, 2, None]
    assert [isinstance(each, Refusal) for each in outcomes] == [False, True, False, False, True]
    assert sorted(each.channel for each in bus.all) == ["kept:1", "kept:1", "passing:1"]


async def test_a_broadcast_that_is_not_sound_is_refused_as_a_whole(publishing, bus):
    with pytest.raises(InvalidInput):
        await publishing.broadcast(["kept:1", "passing:1"], Words(b"no json"))

    assert not bus.all
