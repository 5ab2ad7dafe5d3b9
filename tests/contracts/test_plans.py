"""What does much at once is planned for the tables as they are, not as they were."""

import uuid
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
from reminders.adapters.firing_columns import columns_of_firing
from reminders.adapters.mapping import FIRINGS
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.usual_path import Taken, settle_usual
from tests.support.clock import START
from tests.support.factories_firings import firing
from tests.support.factories_messaging import AMINA, draft, group, members
from tests.support.factories_reminders import event, member, rule, task

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


_LONG_LOG = sa.text("""
    INSERT INTO firing_log (nominal_day, dedupe_key, event_id, task_id, rule_id, user_id,
                            firing_class, due_at, decided_at, outcome, reason)
    SELECT CURRENT_DATE, CAST(md5(CAST(n AS text)) AS bytea), id, id, id, 'user', 'nag', now(),
           now(), 'fired', ''
    FROM generate_series(1, 5000) AS n, gen_random_uuid() AS id
""")
_READ_WHOLE = sa.text("""
    SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'firing_log'
""")


async def test_of_a_log_that_has_grown_long_only_what_is_due_is_read(database):
    about = event()
    job, what = task(about), rule(about)
    calendar = SqlCalendarStore(database)
    await calendar.create(about, member(about, AMINA))
    await calendar.change(about.id, lambda _: [job, what], now=START)

    async def fire(number: int) -> int:
        """Settle so many; how often the log was read from its beginning to its end."""
        due = firing(about, job.id, what.id, AMINA, START)
        ids = [uuid.uuid4() for _ in range(number)]
        rows = [{**columns_of_firing(due), "id": id_, "dedupe_key": id_.bytes} for id_ in ids]
        async with database.transaction() as connection:
            await connection.execute(FIRINGS.insert(), rows)
            [tally], _ = await settle_usual(connection, Taken(ids, []), START)
            assert len(tally.lateness) == number
            return (await connection.execute(_READ_WHOLE)).scalar_one()

    for _ in range(ROUNDS):
        await fire(1)
    async with database.transaction() as connection:
        await connection.execute(_LONG_LOG)

    assert await fire(200) == 0
