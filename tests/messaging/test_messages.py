"""Sending messages and reading them back."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.adapters.memory_bus import MemoryBus
from kernel.adapters.tables import OutboxRow
from kernel.bus import StreamPosition
from kernel.errors import InvalidInput
from kernel.ids import new_id
from kernel.metrics import Metrics
from kernel.workers import Pulse
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.channels.names import conversation_channel
from messaging.conversations.bodies import MessageLimits
from messaging.conversations.messages import PAGE, Messages
from messaging.errors import ConversationNotFound, MessageTooLarge, NotAMember
from messaging.facts import sent_of
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import AMINA, KARIM, LINA, group, members

SALAM = b'{"text":"salam"}'


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def conversations(sqlite_database: Database, clock: ManualClock) -> SqlConversations:
    return SqlConversations(database=sqlite_database, clock=clock)


@pytest.fixture
async def messages(
    sqlite_database: Database,
    conversations: SqlConversations,
    bus: MemoryBus,
    clock: ManualClock,
) -> AsyncIterator[Messages]:
    store = SqlMessages(
        database=sqlite_database, clock=clock, metrics=Metrics(), options=BatchOptions()
    )
    yield Messages(
        store=store, conversations=conversations, bus=bus, clock=clock, limits=MessageLimits()
    )
    await store.close()


@pytest.fixture
async def here(conversations: SqlConversations) -> UUID:
    """A group of Amina and Karim."""
    there = group()
    return (await conversations.create(there, members(there, AMINA, KARIM))).id


async def send(messages: Messages, here: UUID, **changes: object):
    said = {"body": SALAM, "idempotency_key": "k", **changes}
    return await messages.send(said.pop("sender_id", AMINA), conversation_id=here, **said)


async def test_whoever_listens_hears_of_a_message_with_its_place_in_the_log(messages, here, bus):
    channel = conversation_channel(here)
    async with bus.listen() as listener:
        await listener.follow(frozenset({channel}))

        message = await send(messages, here)

        (publication,) = await anext(aiter(listener))
    assert publication.channel == channel
    assert publication.position == StreamPosition(1, await messages.epoch())
    heard = json.loads(publication.data)
    assert (heard["id"], heard["body"]) == (str(message.id), {"text": "salam"})


async def test_the_relay_is_woken_by_what_was_written_and_by_nothing_else(
    sqlite_database, conversations, bus, clock, here
):
    relaying = Pulse()
    store = SqlMessages(
        database=sqlite_database, clock=clock, metrics=Metrics(), options=BatchOptions()
    )
    messages = Messages(
        store=store,
        conversations=conversations,
        bus=bus,
        clock=clock,
        limits=MessageLimits(),
        relaying=relaying,
    )
    woken = asyncio.create_task(relaying.wait())

    with pytest.raises(ConversationNotFound):
        await send(messages, here, sender_id=LINA)
    assert not woken.done()

    await send(messages, here)
    await asyncio.wait_for(woken, 5)
    await store.close()


@pytest.mark.parametrize("sender", ["", "a\x00b", "a b", "x" * 129])
async def test_who_has_no_possible_name_sends_nothing(messages, here, sender):
    with pytest.raises(InvalidInput, match="sender_id"):
        await messages.send_as(sender, conversation_id=here, body=SALAM, idempotency_key="k")


async def test_the_outbox_is_told_enough_to_reach_who_is_away(messages, here, sqlite_database):
    message = await send(messages, here, body=b'{"text":"one\\ntwo"}')

    async with sqlite_database.reading() as connection:
        (entry,) = await connection.execute(sa.select(table_of(OutboxRow)))
    assert (entry.kind, entry.channel, entry.offset) == (
        "message.sent",
        conversation_channel(here),
        1,
    )
    fact = sent_of(entry.payload.encode())
    assert (fact.message_id, fact.conversation_id) == (message.id, here)
    assert (fact.offset, fact.sender_id, fact.preview) == (1, AMINA, "one two")


async def test_sending_again_with_the_same_key_gives_the_first_message(messages, here, clock):
    first = await send(messages, here, body=b'{"n":1}')
    clock.move(seconds=5)

    assert await send(messages, here, body=b'{"n":2}') == first


async def test_messages_are_stored_in_the_order_of_sending_from_the_very_first_on(messages, here):
    """Before this node has asked the database for anything, its epoch for example."""
    order = range(1, 101)
    sent = await asyncio.gather(*(send(messages, here, idempotency_key=f"{n}") for n in order))

    assert [message.offset for message in sent] == list(order)


async def test_to_a_stranger_a_conversation_does_not_exist(messages, here):
    with pytest.raises(ConversationNotFound) as stranger:
        await send(messages, here, sender_id=LINA)
    with pytest.raises(ConversationNotFound) as nobody:
        await send(messages, new_id(START), sender_id=LINA)

    assert str(stranger.value) == str(nobody.value)
    assert stranger.value.details == nobody.value.details


async def test_a_server_is_told_that_the_sender_is_not_a_member(messages, here):
    with pytest.raises(NotAMember):
        await messages.send_as(LINA, conversation_id=here, body=SALAM, idempotency_key="k")


@pytest.mark.parametrize("key", ["", "k" * 65, "a\x00", "a\nb", "\ud800", "a\u202eb"])
async def test_a_key_is_short_and_printable(messages, here, key):
    with pytest.raises(InvalidInput) as caught:
        await send(messages, here, idempotency_key=key)

    assert caught.value.details["field"] == "idempotency_key"


async def test_a_key_may_be_as_long_as_allowed(messages, here):
    assert (await send(messages, here, idempotency_key="ع" * 64)).idempotency_key == "ع" * 64


async def test_what_is_no_body_is_neither_stored_nor_announced(messages, here):
    with pytest.raises(InvalidInput):
        await send(messages, here, body=b"[]")
    with pytest.raises(MessageTooLarge):
        await send(messages, here, body=b'{"x":"' + b"y" * 17_000 + b'"}')

    assert await messages.history(AMINA, conversation_id=here) == []


async def test_members_read_history_backwards_and_forwards(messages, here):
    sent = [await send(messages, here, idempotency_key=f"{n}") for n in range(5)]

    assert await messages.history(KARIM, conversation_id=here, limit=2) == [sent[4], sent[3]]
    assert await messages.history(KARIM, conversation_id=here, before=2) == [sent[0]]
    assert await messages.since(KARIM, conversation_id=here, offset=3) == sent[3:]


async def test_a_page_is_never_larger_than_a_page(messages, here):
    for n in range(PAGE + 1):
        await send(messages, here, idempotency_key=f"{n}")

    assert len(await messages.history(AMINA, conversation_id=here, limit=10**9)) == PAGE
    assert len(await messages.since(AMINA, conversation_id=here, offset=0, limit=10**9)) == PAGE
    assert len(await messages.since(AMINA, conversation_id=here, offset=0, limit=-1)) == 1


async def test_strangers_and_former_members_read_nothing(messages, conversations, here):
    await send(messages, here)
    await conversations.remove_member(here, KARIM, then=[])

    for outsider in (LINA, KARIM):
        with pytest.raises(ConversationNotFound):
            await messages.history(outsider, conversation_id=here)
        with pytest.raises(ConversationNotFound):
            await messages.since(outsider, conversation_id=here, offset=0)
