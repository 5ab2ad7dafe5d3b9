"""What waits is what is planned, in every column, over each database."""

import uuid
from datetime import timedelta

import sqlalchemy as sa
from msgspec import structs

from reminders.adapters.firing_columns import firing_of
from reminders.adapters.mapping import FIRINGS
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.firing import FiringClass
from reminders.identity import shard_of
from reminders.ports import Reconciled
from tests.support.clock import START
from tests.support.factories_firings import firing
from tests.support.factories_reminders import AMINA, HOUR, event


async def test_whatever_a_plan_says_otherwise_of_a_firing_is_so_of_the_one_that_waits(database):
    wedding, store = event(), SqlFiringStore(database)
    await SqlCalendarStore(database).create(wedding, None)
    first = firing(
        wedding,
        uuid.uuid4(),
        uuid.uuid4(),
        AMINA,
        START + HOUR,
        firing_class=FiringClass.EXACT_CALENDAR,
    )
    other = structs.replace(
        first,
        due_at=first.due_at + HOUR,
        firing_class=FiringClass.NAG,
        grace=HOUR,
        useful_until=first.useful_until + HOUR,
        zone="Asia/Kathmandu",
        event_version=7,
        task_version=8,
    )

    async def reconcile(planned):
        until = START + timedelta(days=35)
        return await store.reconcile(
            [wedding.id], lambda _: [planned], since=START, until=until, now=START
        )

    assert await reconcile(first) == Reconciled(added=1)
    assert await reconcile(other) == Reconciled(moved=1)

    async with database.reading() as connection:
        row = (await connection.execute(sa.select(FIRINGS))).one()
    assert firing_of(row) == other
    assert row.shard == shard_of(AMINA)
