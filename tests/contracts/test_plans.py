"""What does much at once is planned for the tables as they are, not as they were."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.metrics import Metrics
from kernel.outbox import Entry
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.facts import MESSAGE_SENT, message_sent
from messaging.types import Message
from tests.support.factories_messaging import AMINA, draft, group, members

pytestmark = pytest.mark.external

ROUNDS = 20
"""Enough for each of two connections to have run a statement more than five times."""

_PLANS = sa.text(r"""
    SELECT COALESCE(sum(generic_plans), 0) AS kept, COALESCE(sum(custom_plans), 0) AS made
    FROM pg_prepared_statements
    WHERE statement ~ '^\s*WITH (draft|held) '
""")


def _sent(message: Message) -> Sequence[Entry]:
    return [message_sent(message, preview="")]


@pytest.fixture
async def database(postgres_database_url: str) -> AsyncIterator[Database]:
    opened = Database(DatabaseOptions(url=postgres_database_url, pool_size=2))
    yield opened
    await opened.close()


async def test_messages_are_stored_and_entries_settled_by_plans_of_their_own(database, clock):
    here, outbox = group(), SqlOutbox(database, clock)
    await SqlConversations(database=database, clock=clock).create(here, members(here, AMINA))
    store = SqlMessages(database=database, clock=clock, metrics=Metrics(), options=BatchOptions())

    for number in range(ROUNDS):
        await store.append(draft(here.id, sender_id=AMINA, key=str(number)), then=_sent)
        taken = await outbox.claim(
            [MESSAGE_SENT], now=clock.now(), lease=timedelta(seconds=30), limit=10
        )
        await outbox.settle(taken, now=clock.now())

    async with database.reading() as one, database.reading() as other:
        plans = [(await each.execute(_PLANS)).one() for each in (one, other)]
    assert [each.kept for each in plans] == [0, 0]
    assert sum(each.made for each in plans) == 2 * ROUNDS
    await store.close()
