"""Schedulers are killed, and the database restarted, amid a spike: each user is told once."""

import asyncio
import os
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions
from kernel.clock import SystemClock
from kernel.errors import Unavailable
from reminders.adapters.mapping import FIRINGS, LOG
from reminders.identity import collapse_key
from server import migrations
from tests.crash.conftest import Rounds, briefly_on
from tests.support.killing import at_work
from tests.support.scheduling import Duty, notices_by_key, said_all, spike
from tests.support.servers import PostgresServer

pytestmark = [pytest.mark.crash, pytest.mark.timeout(4000)]

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
FIRINGS_DUE, KILLS, SCHEDULERS = (100_000, 30, 4) if SOAK else (300, 3, 2)
BATCH, LEASE_SECONDS = (500, 30.0) if SOAK else (50, 2.0)
WITHIN = 1200.0
"""Seconds in which a spike must be over."""


@briefly_on("postgresql")
async def test_killed_schedulers_tell_everybody_once(
    database: Database, database_url: str, rounds: Rounds
):
    for dice in rounds:
        before = Counter(await notices_by_key(database))
        due = [SystemClock().now() - timedelta(seconds=each) for each in range(60)]
        firings = await spike(database, number=FIRINGS_DUE, due=due)
        first = await recorded(database)
        duty = Duty(database_url, batch=BATCH, lease_seconds=LEASE_SECONDS)
        with at_work(duty.killable(SCHEDULERS)) as working:
            for moment in sorted(dice.sample(range(FIRINGS_DUE * 3 // 4), KILLS)):
                await reached(database, first + moment)
                victim = dice.choice(working)
                victim.kill()
                victim.spawn()
            async with asyncio.timeout(WITHIN):
                await said_all(database, firings)
        told = Counter(await notices_by_key(database)) - before
        assert told == Counter(collapse_key(each.dedupe_key) for each in firings)
        assert await recorded(database) == first + FIRINGS_DUE
        assert await waiting(database) == 0


@pytest.mark.external
async def test_a_database_that_restarts_amid_a_spike_tells_everybody_once(
    durable_postgres: PostgresServer, crash_database_url: str
):
    await migrations.upgrade(crash_database_url)
    database = Database(DatabaseOptions(url=crash_database_url))
    firings = await spike(database, number=200, due=[SystemClock().now()])
    with at_work(Duty(crash_database_url, batch=20).killable(2)):
        await reached(database, 20)
        durable_postgres.kill()
        durable_postgres.start()
        # Our own connection was used just now: that it is gone is met as an outage, once.
        with suppress(Unavailable):
            await database.check()
        async with asyncio.timeout(WITHIN):
            await said_all(database, firings)
    told = Counter(await notices_by_key(database))
    await database.close()

    assert told == Counter(collapse_key(each.dedupe_key) for each in firings)


async def reached(database: Database, number: int) -> None:
    async with asyncio.timeout(WITHIN):
        while await recorded(database) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def recorded(database: Database) -> int:
    return await counted(database, LOG)


async def waiting(database: Database) -> int:
    return await counted(database, FIRINGS)


async def counted(database: Database, table: sa.Table) -> int:
    async with database.reading() as connection:
        query = sa.select(sa.func.count()).select_from(table)
        return int((await connection.execute(query)).scalar_one())
