"""What every store of channels' streams promises, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from kernel.adapters.database import Database
from kernel.bus import Publication, StreamPosition
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_publications import SqlPublications
from messaging.types import Posting
from tests.support.clock import START, ManualClock

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
async def store(database: Database, clock: ManualClock) -> AsyncIterator[SqlPublications]:
    opened = SqlPublications(
        database=database, clock=clock, metrics=Metrics(), options=BatchOptions()
    )
    yield opened
    await opened.close()


def posting(number: int = 0, channel: str = "news:1", **changed: Any) -> Posting:
    fields: dict[str, Any] = {
        "data": b'{"n":%d}' % number,
        "extra": b"",
        "size": 10,
        "kept_until": START + MINUTE,
        "known_until": START + DAY,
    }
    return Posting(channel=channel, **(fields | changed))


async def epoch_of(store: SqlPublications, channel: str = "news:1") -> str:
    tops = await store.tops([channel], known_until={channel: START + DAY})
    return tops[channel].epoch


async def kept(store: SqlPublications, channel: str = "news:1") -> list[bytes]:
    return [each.data for each in await store.since(channel, offset=0, limit=1000)]


async def test_offsets_are_1_2_3_in_each_channel(store):
    posted = [await store.append(posting(n)) for n in range(3)]
    elsewhere = await store.append(posting(channel="news:2"))

    assert [each.position.offset for each in posted] == [1, 2, 3]
    assert all(each.is_new for each in posted)
    assert len({each.position.epoch for each in posted}) == 1
    assert elsewhere.position.offset == 1


async def test_what_is_published_at_the_same_time_has_no_gaps(store):
    posted = await asyncio.gather(
        *(store.append(posting(n, channel=f"news:{n % 3}", size=1000)) for n in range(300))
    )

    for channel in range(3):
        offsets = [each.position.offset for each in posted[channel::3]]
        assert offsets == list(range(1, 101))


async def test_two_writers_share_a_stream_without_gaps(database, clock):
    stores = [
        SqlPublications(database=database, clock=clock, metrics=Metrics(), options=BatchOptions())
        for _ in range(2)
    ]
    posted = await asyncio.gather(
        *(stores[n % 2].append(posting(n, channel=f"news:{n % 5}", size=99)) for n in range(200))
    )

    for channel in range(5):
        places = [each.position for each in posted[channel::5]]
        assert sorted(each.offset for each in places) == list(range(1, 41))
        assert len({each.epoch for each in places}) == 1
    for each in stores:
        await each.close()


async def test_a_publication_is_found_as_it_was_published(store):
    await store.append(posting(data='{"t":"مرحبا"}'.encode(), extra=b'{"tags":{"a":"b"}}'))

    position = StreamPosition(1, await epoch_of(store))
    expected = Publication("news:1", '{"t":"مرحبا"}'.encode(), position, b'{"tags":{"a":"b"}}')
    assert await store.since("news:1", offset=0, limit=10) == [expected]
    assert await store.before("news:1", offset=None, limit=10) == [expected]


async def test_streams_are_read_from_either_end(store):
    for n in range(1, 6):
        await store.append(posting(n))

    forward = await store.since("news:1", offset=1, limit=2)
    newest = await store.before("news:1", offset=None, limit=2)
    older = await store.before("news:1", offset=4, limit=2)
    assert [each.data for each in forward] == [b'{"n":2}', b'{"n":3}']
    assert [each.data for each in newest] == [b'{"n":5}', b'{"n":4}']
    assert [each.data for each in older] == [b'{"n":3}', b'{"n":2}']


async def test_a_stream_keeps_as_many_as_its_size(store):
    for n in range(1, 8):
        await store.append(posting(n, size=3))
    burst = await asyncio.gather(*(store.append(posting(n, size=3)) for n in range(8, 20)))

    assert burst[-1].position.offset == 19
    assert await kept(store) == [b'{"n":17}', b'{"n":18}', b'{"n":19}']


async def test_publications_are_gone_after_their_time_and_offsets_go_on(store, clock):
    await store.append(posting(1))
    clock.move(minutes=2)
    assert await kept(store) == []

    later = await store.append(posting(2, kept_until=START + 5 * MINUTE))
    assert later.position.offset == 2
    assert await kept(store) == [b'{"n":2}']


async def test_a_stream_that_nothing_was_published_to_begins_when_it_is_asked_for(store):
    asked = {"news:1": START + DAY, "news:2": START + DAY}
    before = await store.tops(list(asked), known_until=asked)
    posted = await store.append(posting())

    assert {each.offset for each in before.values()} == {0}
    assert posted.position == StreamPosition(1, before["news:1"].epoch)


async def test_a_repeated_key_publishes_nothing(store, clock):
    keyed = {"idempotency_key": "k", "remembered_until": START + MINUTE}
    first = await store.append(posting(1, **keyed))
    again = await store.append(posting(2, **keyed))
    elsewhere = await store.append(posting(3, channel="news:2", **keyed))

    assert (again.position, again.is_new) == (first.position, False)
    assert elsewhere.is_new
    assert await kept(store) == [b'{"n":1}']


async def test_the_same_key_at_the_same_time_publishes_once(store):
    keyed = {"idempotency_key": "k", "remembered_until": START + MINUTE}
    posted = await asyncio.gather(*(store.append(posting(n, **keyed)) for n in range(20)))

    assert {each.position.offset for each in posted} == {1}
    assert len(await kept(store)) == 1


async def test_a_key_is_forgotten_in_time(store, clock):
    keyed = {"idempotency_key": "k", "kept_until": START + DAY}
    await store.append(posting(1, remembered_until=START + MINUTE, **keyed))
    clock.move(minutes=2)
    again = await store.append(posting(2, remembered_until=START + 3 * MINUTE, **keyed))

    assert again.is_new
    assert again.position.offset == 2


async def test_a_key_can_be_remembered_where_nothing_is_kept(store, clock):
    until = START + MINUTE
    assert await store.remember("news:1", "k", until=until)
    assert not await store.remember("news:1", "k", until=until)
    assert await store.remember("news:2", "k", until=until)

    clock.move(minutes=2)
    assert await store.remember("news:1", "k", until=START + 3 * MINUTE)


async def test_a_version_that_is_not_newer_publishes_nothing(store):
    outcomes = [
        await store.append(posting(version=version, version_epoch=epoch))
        for version, epoch in [(5, "a"), (5, "a"), (4, "a"), (6, "a"), (1, "b"), (0, "")]
    ]

    assert [each.is_new for each in outcomes] == [True, False, False, True, True, True]
    assert [each.position.offset for each in outcomes] == [1, 1, 1, 2, 3, 4]


async def test_removing_leaves_the_place(store):
    first = await store.append(posting(1))
    await store.remove("news:1")
    assert await kept(store) == []

    later = await store.append(posting(2))
    assert later.position == StreamPosition(2, first.position.epoch)


async def test_pruning_deletes_what_is_over_and_nothing_else(store, clock):
    keyed = {"idempotency_key": "k", "remembered_until": START + MINUTE}
    await store.append(posting(1, **keyed))
    await store.append(posting(2, channel="news:2", kept_until=START + 2 * DAY))
    clock.move(minutes=2)

    assert await store.prune(limit=100) == 2
    assert await store.prune(limit=100) == 0
    assert await kept(store, "news:2") == [b'{"n":2}']


async def test_a_stream_that_was_forgotten_begins_with_another_epoch(store, clock):
    before = (await store.append(posting(1))).position
    clock.move(days=2)
    while await store.prune(limit=1):
        pass
    after = (await store.append(posting(2, known_until=START + 9 * DAY))).position

    assert after.offset == 1
    assert after.epoch != before.epoch


async def test_a_stream_that_is_asked_for_is_known_for_its_whole_time_again(store, clock):
    """As with Centrifugo, whose readers renew the time of a stream's place as well."""
    before = (await store.append(posting(1))).position
    for _ in range(3):
        clock.move(hours=20)
        until = {"news:1": clock.now() + DAY}
        assert (await store.tops(["news:1"], known_until=until))["news:1"] == before
        while await store.prune(limit=1):
            pass
    clock.move(days=2)
    while await store.prune(limit=1):
        pass

    forgotten = await store.tops(["news:1"], known_until={"news:1": clock.now() + DAY})
    assert forgotten["news:1"].epoch != before.epoch


async def test_closing_refuses_what_comes_later(store):
    await store.close()

    with pytest.raises(Unavailable):
        await store.append(posting())
