"""The log of messages while its database is away or locked."""

import asyncio

import pytest

from kernel.adapters.database import Database, DatabaseOptions, Row
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.ports import MessagePage
from tests.support.factories_messaging import AMINA, draft, group, members, noted, nothing
from tests.support.servers import PostgresServer, running


def store_in(database: Database, clock) -> SqlMessages:
    return SqlMessages(database=database, clock=clock, metrics=Metrics(), options=BatchOptions())


async def party_in(database: Database, clock):
    there = group()
    store = SqlConversations(database=database, clock=clock)
    return (await store.create(there, members(there, AMINA))).id


@pytest.mark.external
async def test_while_the_database_is_away_senders_are_refused_and_later_served(clock):
    with running(PostgresServer(durable=True)) as server:
        database = Database(DatabaseOptions(url=server.url))
        async with database.transaction() as connection:
            await connection.run_sync(Row.metadata.create_all)
        store, here = store_in(database, clock), await party_in(database, clock)
        first = await store.append(draft(here, key="first"), then=nothing)

        server.kill()
        for _ in range(2):
            refused = await asyncio.gather(
                *(store.append(draft(here), then=nothing) for _ in range(5)),
                return_exceptions=True,
            )
            assert [type(each) for each in refused] == [Unavailable] * 5
            with pytest.raises(Unavailable):
                await store.page(here, beyond=0, limit=9)

        server.start()
        again = await store.append(draft(here, key="first"), then=nothing)
        second = await store.append(draft(here, key="second"), then=nothing)
        assert (again, second.offset) == (first, 2)
        assert (await store.page(here, beyond=0, limit=0)) == MessagePage(2, ())
        await store.close()
        await database.close()


async def test_a_lock_that_somebody_holds_for_too_long_refuses_for_now(database_url, clock):
    other = Database(DatabaseOptions(url=database_url))
    here = await party_in(other, clock)
    await limit_waits(other)
    database = Database(DatabaseOptions(url=database_url, timeout_seconds=0.2))
    store = store_in(database, clock)
    async with other.transaction() as connection:
        await connection.exec_driver_sql("UPDATE conversations SET title = 'held'")

        with pytest.raises(Unavailable):
            await store.append(draft(here), then=noted)

    assert (await store.append(draft(here), then=noted)).offset == 1
    await store.close()
    await other.close()
    await database.close()


async def limit_waits(database: Database) -> None:
    """PostgreSQL waits for a lock as long as its operator allows; SQLite as we tell it."""
    if not database.is_sqlite:
        async with database.transaction() as connection:
            name = (await connection.exec_driver_sql("SELECT current_database()")).scalar_one()
            await connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET lock_timeout = 200')
