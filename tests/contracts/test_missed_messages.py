"""What the lookup of missed messages promises, on both databases."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.adapters.database import Database
from kernel.ids import UserId
from kernel.metrics import Metrics
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.adapters.sql_missed import LAST, SqlMissed
from messaging.conversations.bodies import MessageLimits
from messaging.facts import Missed
from messaging.types import Conversation
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import AMINA, KARIM, LINA, draft, group, members, nothing

Say = Callable[..., Awaitable[None]]


@pytest.fixture
def conversations(database: Database, clock: ManualClock) -> SqlConversations:
    return SqlConversations(database=database, clock=clock)


@pytest.fixture
def missed(database: Database) -> SqlMissed:
    return SqlMissed(database, limits=MessageLimits())


@pytest.fixture
async def say(database: Database, clock: ManualClock) -> AsyncIterator[Say]:
    """Says things, each after so many seconds since the beginning."""
    store = SqlMessages(database=database, clock=clock, metrics=Metrics(), options=BatchOptions())

    async def saying(there: Conversation, sender_id: UserId, *seconds: float) -> None:
        for each in seconds:
            at = START + timedelta(seconds=each)
            said = replace(draft(there.id, sender_id=sender_id), sent_at=at)
            await store.append(said, then=nothing)

    yield saying
    await store.close()


def told(found: list[Missed]) -> list[tuple[int, tuple[UserId, ...]]]:
    return [(each.fact.offset, each.user_ids) for each in found]


async def party(conversations: SqlConversations, *user_ids: UserId) -> Conversation:
    there = group("Fête")
    return await conversations.create(there, members(there, *user_ids))


async def test_each_is_told_of_what_others_sent_since_their_instant(conversations, missed, say):
    there = await party(conversations, AMINA, KARIM, LINA)
    await say(there, AMINA, 1, 2)
    await say(there, KARIM, 3)

    found = await missed.missed(
        {KARIM: START + timedelta(seconds=2), LINA: START + timedelta(seconds=3)}
    )

    assert told(found) == [(2, (KARIM,)), (3, (LINA,))]
    assert found[0].title == "Fête"
    assert found[0].sent_at == START + timedelta(seconds=2)
    assert (found[0].fact.sender_id, found[0].fact.preview) == (AMINA, "salam")


async def test_conversations_of_others_and_muted_ones_are_left_out(conversations, missed, say):
    foreign = await party(conversations, AMINA, LINA)
    muted = await party(conversations, AMINA, KARIM)
    await conversations.change_member(muted.id, KARIM, muted=True)
    await say(foreign, AMINA, 1)
    await say(muted, AMINA, 1)

    assert await missed.missed({KARIM: START}) == []


async def test_of_very_many_only_the_newest_are_told(conversations, missed, say):
    there = await party(conversations, AMINA, KARIM)
    await say(there, AMINA, *range(LAST + 3))

    found = await missed.missed({KARIM: START})

    assert [each.fact.offset for each in found] == list(range(4, LAST + 4))
