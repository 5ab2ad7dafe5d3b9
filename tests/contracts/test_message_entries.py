"""What follows from messages is written with them, and says where each is in its log."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.adapters.tables import OutboxRow
from kernel.errors import Refusal
from kernel.metrics import Metrics
from kernel.outbox import Entry
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.facts import message_sent
from messaging.types import Message
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import AMINA, KARIM, LINA, draft, group, members

OUTBOX = table_of(OutboxRow).c


@pytest.fixture
async def store(database: Database, clock: ManualClock) -> AsyncIterator[SqlMessages]:
    store = SqlMessages(database=database, clock=clock, metrics=Metrics(), options=BatchOptions())
    yield store
    await store.close()


async def outbox(database: Database) -> list[Entry]:
    """Every entry, in the order of their ids."""
    columns = (OUTBOX.kind, OUTBOX.payload, OUTBOX.dedupe_key, OUTBOX.channel, OUTBOX.offset)
    async with database.reading() as connection:
        rows = await connection.execute(sa.select(*columns).order_by(OUTBOX.id))
        return [
            Entry(row.kind, row.payload.encode(), row.dedupe_key, None, row.channel, row.offset)
            for row in rows
        ]


def sent(message: Message, *, preview: str = "مبروك 1152921504606846976") -> Iterable[Entry]:
    yield message_sent(message, preview=preview)


def twice(message: Message) -> Iterable[Entry]:
    """Says the offset twice, which is not usual."""
    yield from sent(message, preview=f"{message.offset}")


def keyed(message: Message) -> Iterable[Entry]:
    for each in sent(message):
        yield replace(each, dedupe_key=f"sent:{message.id}")


@pytest.mark.parametrize("then", [sent, partial(sent, preview="0"), twice, keyed])
async def test_an_entry_tells_of_its_message_as_if_the_offset_had_been_known(
    store, database, clock, then
):
    conversations = SqlConversations(database=database, clock=clock)
    here, there = group(), group()
    for each in (here, there):
        await conversations.create(each, members(each, AMINA, KARIM))
    drafts = [
        draft(place.id, sender_id=sender, key=str(number // 2))
        for number in range(40)
        for place in (here, there)
        for sender in (AMINA, KARIM, LINA)
    ]

    outcomes = await asyncio.gather(
        *(store.append(each, then=then) for each in drafts), return_exceptions=True
    )
    messages = {each.id: each for each in outcomes if isinstance(each, Message)}

    assert all(isinstance(each, Message | Refusal) for each in outcomes)
    written = await outbox(database)
    assert len(messages) == len(written) == 80
    for place in (here, there):
        log = await store.since(place.id, offset=0, limit=100)
        channel = f"conversation:{place.id}"
        assert [each for each in written if each.channel == channel] == [
            entry for message in log for entry in then(message)
        ]


async def test_what_follows_may_be_nothing_or_more_than_one_and_is_due_when_it_says(
    store, database, clock
):
    conversations, here = SqlConversations(database=database, clock=clock), group()
    await conversations.create(here, members(here, AMINA))

    def later(message: Message) -> Iterable[Entry]:
        for each in sent(message):
            yield each
            yield replace(each, kind="message.again", due_at=START.replace(year=2031))

    await asyncio.gather(
        store.append(draft(here.id), then=lambda _: []), store.append(draft(here.id), then=later)
    )

    async with database.reading() as connection:
        rows = await connection.execute(sa.select(OUTBOX.kind, OUTBOX.due_at).order_by(OUTBOX.id))
        assert sorted((row.kind, row.due_at.year) for row in rows) == [
            ("message.again", 2031),
            ("message.sent", clock.now().year),
        ]
