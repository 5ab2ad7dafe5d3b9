"""What does much at once is planned for the tables as they are, or for any, not as they were."""

import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, DatabaseOptions
from kernel.adapters.plans import by_keys
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
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.usual_path import Taken, settle_usual
from reminders.firing import Firing, Judgement, Look, Outcome
from reminders.identity import shard_of
from tests.support.clock import START
from tests.support.factories_firings import firing
from tests.support.factories_messaging import AMINA, draft, group, members
from tests.support.factories_reminders import event, member, rule, task

pytestmark = pytest.mark.external

ROUNDS = 20
"""Enough for each of two connections to have run a statement more than five times."""

_PLANS = sa.text("""
    SELECT COALESCE(sum(generic_plans), 0) AS kept, COALESCE(sum(custom_plans), 0) AS made
    FROM pg_prepared_statements
    WHERE statement ~ :beginning
""")


def _sent(message: Message) -> Sequence[Entry]:
    return [message_sent(message, preview="")]


async def _plans(database: Database, beginning: str) -> tuple[int, int]:
    """How often a kept plan was used for statements, and how often one was made."""
    async with database.reading() as one, database.reading() as other:
        found = [
            (await each.execute(_PLANS, {"beginning": beginning})).one() for each in (one, other)
        ]
    return sum(each.kept for each in found), sum(each.made for each in found)


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

    assert await _plans(database, r"^\s*WITH (draft|held) ") == (0, 2 * ROUNDS)
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
    due = await _planned(database)

    async def fire(number: int) -> int:
        """Settle so many; how often the log was read from its beginning to its end."""
        async with database.transaction() as connection:
            await by_keys(connection)
            ids = await _again(connection, due, number)
            [tally], _ = await settle_usual(connection, Taken(ids, []), START)
            assert len(tally.lateness) == number
            return (await connection.execute(_READ_WHOLE)).scalar_one()

    for _ in range(ROUNDS):
        await fire(1)
    async with database.transaction() as connection:
        await connection.execute(_LONG_LOG)

    assert await fire(200) == 0


async def test_what_is_due_is_claimed_and_settled_by_plans_that_were_made_once(database):
    due, store = await _planned(database), SqlFiringStore(database)

    for _ in range(ROUNDS):
        async with database.transaction() as connection:
            await _again(connection, due, 2)
        [tally] = await store.fire_due(
            shard_of(AMINA),
            lambda _: Judgement(Outcome.DEAD),
            lambda *_: True,
            look=Look(START),
            now=START,
            limit=10,
        )
        assert (tally.outcome, len(tally.lateness)) == (Outcome.FIRED, 2)

    assert await _plans(database, r"^\s*WITH (taken|given) ") == (2 * ROUNDS, 0)


async def _planned(database: Database) -> Firing:
    """A firing that is not stored; what it is about is."""
    about = event()
    job, what = task(about), rule(about)
    calendar = SqlCalendarStore(database)
    await calendar.create(about, member(about, AMINA))
    await calendar.change(about.id, lambda _: [job, what], now=START)
    return firing(about, job.id, what.id, AMINA, START)


async def _again(connection: AsyncConnection, due: Firing, number: int) -> list[uuid.UUID]:
    """Store so many like it; their ids."""
    ids = [uuid.uuid4() for _ in range(number)]
    rows = [{**columns_of_firing(due), "id": id_, "dedupe_key": id_.bytes} for id_ in ids]
    await connection.execute(FIRINGS.insert(), rows)
    return ids
