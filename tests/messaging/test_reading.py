"""How far members have read, and what they have not, on both databases."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.adapters.sql_outbox import SqlOutbox
from kernel.notices import WITHDRAWAL, withdrawal_of
from kernel.workers import Pulse
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.adapters.sql_mutes import SqlMutes
from messaging.adapters.sql_reading import SqlReading
from messaging.conversations.reading import Reading
from messaging.errors import ConversationNotFound
from messaging.types import Member, Role
from tests.support.factories_messaging import AMINA, KARIM, LINA, draft, group, members, nothing


@pytest.fixture
def conversations(database, clock):
    return SqlConversations(database=database, clock=clock)


@pytest.fixture
async def log(database, clock, metrics):
    store = SqlMessages(database=database, clock=clock, metrics=metrics, options=BatchOptions())
    yield store
    await store.close()


@pytest.fixture
def store(database, clock):
    return SqlReading(database, clock=clock)


@pytest.fixture
def reading(store):
    return Reading(store=store, relaying=Pulse())


@pytest.fixture
def outbox(database, clock):
    return SqlOutbox(database, clock)


async def party(conversations, *users):
    there = group()
    return (await conversations.create(there, members(there, *users))).id


async def say(log, there, sender, times=1):
    for _ in range(times):
        await log.append(draft(there, sender_id=sender), then=nothing)


async def withdrawals(outbox, clock):
    entries = await outbox.claim(
        [WITHDRAWAL], now=clock.now(), lease=timedelta(seconds=9), limit=99
    )
    return [withdrawal_of(each.payload) for each in entries]


async def test_a_mark_moves_on_and_never_back_nor_beyond_the_log(
    conversations, log, reading, clock
):
    there = await party(conversations, AMINA, KARIM)
    await say(log, there, AMINA, times=5)

    marks = [
        await reading.read(KARIM, conversation_id=there, offset=offset)
        for offset in (2, 4, 3, 0, 99)
    ]

    assert marks == [2, 4, 4, 4, 5]


async def test_what_follows_from_reading_is_written_once_with_it(
    conversations, log, reading, outbox, clock
):
    there = await party(conversations, AMINA, KARIM)
    await say(log, there, AMINA, times=3)
    phone = uuid4()

    await asyncio.gather(
        *(reading.read(KARIM, conversation_id=there, offset=3, device_id=phone) for _ in range(4))
    )

    (told,) = await withdrawals(outbox, clock)
    assert (told.user_id, told.thread, told.place, told.device_id) == (
        KARIM,
        str(there),
        3,
        phone,
    )


async def test_to_who_is_not_in_it_a_conversation_does_not_exist(
    conversations, log, reading, outbox, clock
):
    there = await party(conversations, AMINA, KARIM)
    await say(log, there, AMINA)

    for where in (there, uuid4()):
        with pytest.raises(ConversationNotFound):
            await reading.read(LINA, conversation_id=where, offset=1)
    assert await withdrawals(outbox, clock) == []


async def test_the_messages_of_others_beyond_the_mark_are_unread(
    conversations, log, reading, store, clock
):
    one = await party(conversations, AMINA, KARIM)
    other = await party(conversations, AMINA, KARIM, LINA)
    await say(log, one, AMINA, times=3)
    await say(log, other, KARIM, times=2)
    await say(log, other, AMINA)
    assert await store.unread([AMINA, KARIM, LINA]) == {AMINA: 2, KARIM: 4, LINA: 3}

    await reading.read(KARIM, conversation_id=one, offset=2)

    assert await store.unread([KARIM]) == {KARIM: 2}


async def test_who_comes_later_has_read_what_was_said_before(conversations, log, store, clock):
    there = await party(conversations, AMINA, KARIM)
    await say(log, there, AMINA, times=3)

    await conversations.put_member(Member(there, LINA, Role.MEMBER, joined_at=clock.now()))
    assert await store.unread([LINA]) == {}
    await say(log, there, AMINA)

    assert await store.unread([LINA]) == {LINA: 1}


async def test_what_is_muted_is_not_counted_and_known_to_be(
    conversations, log, store, clock, database
):
    there = await party(conversations, AMINA, KARIM, LINA)
    await say(log, there, AMINA)

    await conversations.change_member(there, KARIM, muted=True)

    assert await store.unread([KARIM, LINA]) == {LINA: 1}
    asked = {(str(there), KARIM), (str(there), LINA), ("event:7", KARIM)}
    assert await SqlMutes(database).muted(asked) == {(str(there), KARIM)}
