"""What every log of messages promises, on SQLite and PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.adapters.database import Database, DatabaseOptions, table_of
from kernel.adapters.tables import OutboxRow
from kernel.ids import new_id
from kernel.metrics import Metrics
from kernel.outbox import Entry
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.errors import ConversationNotFound, NotAMember
from messaging.ports import MessagePage
from messaging.publications import publication_of
from messaging.types import Message
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import (
    AMINA,
    KARIM,
    LINA,
    draft,
    group,
    members,
    noted,
    nothing,
)


@pytest.fixture
async def store(database: Database, clock: ManualClock) -> AsyncIterator[SqlMessages]:
    store = messages_in(database, clock)
    yield store
    await store.close()


@pytest.fixture
def conversations(database: Database, clock: ManualClock) -> SqlConversations:
    return SqlConversations(database=database, clock=clock)


@pytest.fixture
async def here(conversations: SqlConversations) -> UUID:
    """A group of Amina and Karim."""
    return await group_in(conversations)


@pytest.fixture
async def other_node(database_url: str, clock: ManualClock) -> AsyncIterator[SqlMessages]:
    """A second process's view of the same database."""
    database = Database(DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"))
    store = messages_in(database, clock)
    yield store
    await store.close()
    await database.close()


def messages_in(database: Database, clock: ManualClock) -> SqlMessages:
    return SqlMessages(database=database, clock=clock, metrics=Metrics(), options=BatchOptions())


async def group_in(conversations: SqlConversations) -> UUID:
    there = group()
    return (await conversations.create(there, members(there, AMINA, KARIM))).id


async def outbox(database: Database) -> Sequence[tuple[str, str]]:
    """The kind and payload of every entry, oldest first."""
    entries = table_of(OutboxRow).c
    async with database.reading() as connection:
        rows = await connection.execute(
            sa.select(entries.kind, entries.payload).order_by(entries.id)
        )
        return [(row.kind, row.payload) for row in rows]


async def test_offsets_count_from_one_in_the_order_of_arrival(store, here):
    sent = [await store.append(draft(here, key=key), then=nothing) for key in "abc"]

    assert [message.offset for message in sent] == [1, 2, 3]
    assert await store.since(here, offset=0, limit=10) == sent


async def test_messages_sent_at_once_get_offsets_without_gaps(store, conversations, here):
    there = await group_in(conversations)
    drafts = [draft(place, key=str(n)) for n in range(150) for place in (here, there)]

    sent = await asyncio.gather(*(store.append(each, then=nothing) for each in drafts))

    for place in (here, there):
        offsets = [message.offset for message in sent if message.conversation_id == place]
        assert offsets == list(range(1, 151))
    assert await store.tops([here, there]) == {here: 150, there: 150}


async def test_what_comes_back_is_what_was_sent(store, here):
    body = '{"text":"مبروك\\u0000 \\"été\\" 🎉",  "n":[1.50,null]}'.encode()
    written = draft(here, sender_id=KARIM, key="ключ-1", body=body)

    message = await store.append(written, then=nothing)

    assert message == Message(written.id, here, 1, KARIM, body, "ключ-1", START)
    assert await store.since(here, offset=0, limit=1) == [message]


async def test_a_key_used_before_gives_the_first_message_and_writes_nothing(store, here, database):
    first = await store.append(draft(here, key="k", body=b'{"n":1}'), then=noted)

    again = await store.append(draft(here, key="k", body=b'{"n":2}'), then=noted)

    assert again == first
    assert await store.tops([here]) == {here: 1}
    assert await outbox(database) == [("noted", "1")]


async def test_a_key_belongs_to_one_sender_in_one_conversation(store, conversations, here):
    there = await group_in(conversations)
    same_key = [
        draft(here, key="k"),
        draft(here, key="k", sender_id=KARIM),
        draft(there, key="k"),
    ]

    sent = await asyncio.gather(*(store.append(each, then=nothing) for each in same_key))

    assert [message.offset for message in sent] == [1, 2, 1]


async def test_a_sender_who_left_still_gets_the_answer_to_what_they_had_sent(
    store, conversations, here
):
    first = await store.append(draft(here, sender_id=KARIM, key="k"), then=nothing)
    await conversations.remove_member(here, KARIM, then=[])

    assert await store.append(draft(here, sender_id=KARIM, key="k"), then=nothing) == first
    with pytest.raises(NotAMember):
        await store.append(draft(here, sender_id=KARIM), then=nothing)


async def test_consequences_know_the_offset_and_are_written_once_per_message(store, here, database):
    await asyncio.gather(
        *(store.append(draft(here, key=str(n % 20)), then=noted) for n in range(60))
    )

    assert sorted(await outbox(database)) == sorted(("noted", str(n)) for n in range(1, 21))


async def test_who_may_not_send_is_told_why_and_holds_nobody_up(store, here):
    nowhere = new_id(START)
    answers = await asyncio.gather(
        store.append(draft(here), then=nothing),
        store.append(draft(nowhere), then=nothing),
        store.append(draft(here, sender_id=LINA), then=nothing),
        store.append(draft(here, sender_id=KARIM), then=nothing),
        return_exceptions=True,
    )

    assert [type(each) for each in answers] == [
        Message,
        ConversationNotFound,
        NotAMember,
        Message,
    ]
    assert await store.tops([here, nowhere]) == {here: 2}


async def test_a_message_whose_consequences_fail_is_not_stored_and_fails_alone(
    store, here, database
):
    def broken(message: Message) -> Iterable[Entry]:
        raise ZeroDivisionError(message.idempotency_key)

    plans = [(str(n), broken if n in (3, 11) else noted) for n in range(16)]
    answers = await asyncio.gather(
        *(store.append(draft(here, key=key), then=then) for key, then in plans),
        return_exceptions=True,
    )

    assert [n for n, each in enumerate(answers) if isinstance(each, ZeroDivisionError)] == [3, 11]
    stored = await store.since(here, offset=0, limit=100)
    assert [message.offset for message in stored] == list(range(1, 15))
    assert [message.idempotency_key for message in stored] == [
        key for key, then in plans if then is noted
    ]
    assert len(await outbox(database)) == 14


async def test_a_text_the_database_cannot_hold_fails_alone(store, here):
    plain = [draft(here, key=f"plain-{n}") for n in range(5)]
    surrogate = draft(here, key="lone \ud800 surrogate")

    answers = await asyncio.gather(
        *(store.append(each, then=nothing) for each in [*plain, surrogate]),
        return_exceptions=True,
    )

    assert [type(each) for each in answers[:5]] == [Message] * 5
    assert isinstance(answers[5], Exception)
    assert await store.tops([here]) == {here: 5}


async def test_a_caller_who_goes_away_leaves_a_whole_log(store, here):
    sending = [
        asyncio.create_task(store.append(draft(here, key=str(n)), then=nothing)) for n in range(40)
    ]
    await asyncio.sleep(0)
    for each in sending[::2]:
        each.cancel()
    for each in sending[::2]:
        with suppress(asyncio.CancelledError):
            await each

    await asyncio.gather(*sending[1::2])

    stored = await store.since(here, offset=0, limit=100)
    assert [message.offset for message in stored] == list(range(1, len(stored) + 1))
    assert {str(n) for n in range(1, 40, 2)} <= {message.idempotency_key for message in stored}


async def test_two_nodes_write_to_the_same_conversations_without_gaps(
    store, other_node, conversations, database
):
    places = [await group_in(conversations) for _ in range(5)]
    drafts = [draft(places[n % 5], key=str(n // 5), body=b'{"n":%d}' % n) for n in range(200)]

    # Each node sends every key, in another order, in waves that overlap.
    here, there = await asyncio.gather(
        waves(store, drafts, size=23), waves(other_node, drafts[::-1], size=31)
    )

    assert here == there[::-1]
    for place in places:
        stored = await store.since(place, offset=0, limit=1000)
        assert [message.offset for message in stored] == list(range(1, 41))
        assert Counter(message.idempotency_key for message in stored).most_common(1)[0][1] == 1
    assert await store.tops(places) == dict.fromkeys(places, 40)
    assert len(await outbox(database)) == 200


async def waves(store: SqlMessages, drafts: Sequence[object], *, size: int) -> list[Message]:
    sent: list[Message] = []
    for start in range(0, len(drafts), size):
        wave = drafts[start : start + size]
        sent += await asyncio.gather(*(store.append(each, then=noted) for each in wave))
    return sent


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 2),
                st.sampled_from([AMINA, KARIM, LINA]),
                st.text("ab", min_size=1, max_size=2),
            ),
            min_size=1,
            max_size=12,
        ),
        max_size=4,
    )
)
async def test_any_mixture_of_senders_places_and_keys_leaves_a_log_like_the_model(
    store, conversations, together
):
    """The model: a list per place, a member's first use of a key appends to it."""
    places = [await group_in(conversations), await group_in(conversations), new_id(START)]
    model: dict[int, list[tuple[str, str]]] = {0: [], 1: []}

    for batch in together:
        answers = await asyncio.gather(
            *(
                store.append(draft(places[place], sender_id=sender, key=key), then=nothing)
                for place, sender, key in batch
            ),
            return_exceptions=True,
        )
        for (place, sender, key), answer in zip(batch, answers, strict=True):
            if place == 2:
                assert isinstance(answer, ConversationNotFound)
            elif sender == LINA:
                assert isinstance(answer, NotAMember)
            else:
                if (sender, key) not in model[place]:
                    model[place].append((sender, key))
                assert answer.offset == model[place].index((sender, key)) + 1

    for place, expected in model.items():
        stored = await store.since(places[place], offset=0, limit=100)
        assert [(message.sender_id, message.idempotency_key) for message in stored] == expected
        assert [message.offset for message in stored] == list(range(1, len(expected) + 1))


async def test_a_log_is_read_forwards_from_after_an_offset(store, here):
    sent = [await store.append(draft(here), then=nothing) for _ in range(5)]

    assert await store.since(here, offset=2, limit=2) == sent[2:4]
    assert await store.since(here, offset=5, limit=2) == []
    assert await store.since(new_id(START), offset=0, limit=2) == []


async def test_a_log_is_read_backwards_from_its_end_or_before_an_offset(store, here):
    sent = [await store.append(draft(here), then=nothing) for _ in range(5)]

    assert await store.before(here, offset=None, limit=2) == [sent[4], sent[3]]
    assert await store.before(here, offset=4, limit=2) == [sent[2], sent[1]]
    assert await store.before(here, offset=1, limit=2) == []


async def test_a_page_holds_messages_as_they_are_published_to_the_byte(store, here):
    """Live, from the log or as a change of what was before: clients are sent the same text."""
    spoken = [
        (b'{"text":"\xd9\x85\xd8\xa8\xd8\xb1\xd9\x88\xd9\x83 \\" \\u0001"}', START),
        (b'{"a":\n[1,\n2]}', START + timedelta(microseconds=1)),
        (b"7", START + timedelta(microseconds=120_000)),
        (b'"x"', datetime(2038, 1, 19, 3, 14, 8, 999_999, UTC)),
    ]
    sent = [
        await store.append(
            replace(draft(here, key=f'k"\\é{number}', body=body), sent_at=at), then=nothing
        )
        for number, (body, at) in enumerate(spoken)
    ]
    published = [(each.offset, publication_of(each, epoch="e").data) for each in sent]

    assert await store.page(here, beyond=0, limit=9) == MessagePage(4, published)
    assert await store.page(here, beyond=1, limit=2) == MessagePage(4, published[1:3])
    backwards = await store.page(here, beyond=4, limit=2, backwards=True)
    assert backwards == MessagePage(4, [published[2], published[1]])


async def test_a_page_without_messages_tells_the_top_all_the_same(store, conversations, here):
    silent = await group_in(conversations)
    await store.append(draft(here), then=nothing)

    assert await store.page(here, beyond=1, limit=9) == MessagePage(1, ())
    assert await store.page(here, beyond=0, limit=0) == MessagePage(1, ())
    assert await store.page(silent, beyond=2**63 - 1, limit=9, backwards=True) == MessagePage(0, ())
    assert await store.page(new_id(START), beyond=0, limit=9) is None


async def test_tops_are_told_of_conversations_that_exist_however_many_are_asked_for(
    store, conversations, here
):
    silent = await group_in(conversations)
    await store.append(draft(here), then=nothing)

    tops = await store.tops([new_id(START) for _ in range(2500)] + [here, silent])

    assert tops == {here: 1, silent: 0}


async def test_the_epoch_is_the_databases_and_the_same_for_every_node(store, other_node):
    epoch = await store.epoch()

    assert epoch
    assert await store.epoch() == epoch
    assert await other_node.epoch() == epoch
