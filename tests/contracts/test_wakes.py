"""What every way to wake other processes promises."""

import asyncio
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from kernel.adapters.bus_wakes import BusWakes
from kernel.adapters.postgres_wakes import PostgresWakes
from kernel.clock import SystemClock
from kernel.errors import Unavailable

WAYS = ["bus", pytest.param("postgresql", marks=pytest.mark.external)]


@pytest.fixture(params=WAYS)
def wakes(request):
    if request.param == "bus":
        return BusWakes(request.getfixturevalue("redis_bus"))
    return PostgresWakes(request.getfixturevalue("postgres_database"), SystemClock())


@asynccontextmanager
async def listening(wakes):
    """A queue of what is heard, from a moment on at which something was."""
    heard = asyncio.Queue()
    task = asyncio.create_task(wakes.listen(heard.put_nowait))
    while heard.empty() and not task.done():
        await wakes.say("anybody?")
        await asyncio.sleep(0.02)
    yield heard, task
    task.cancel()
    with suppress(asyncio.CancelledError, Unavailable):
        await task


async def next_but(heard, words):
    while (said := await heard.get()) == words:
        pass
    return said


@pytest.mark.external
async def test_what_is_said_is_heard_by_everybody_who_listens(wakes):
    async with listening(wakes) as (one, _), listening(wakes) as (other, _):
        await wakes.say("node-1 plan schedule")

        assert await next_but(one, "anybody?") == "node-1 plan schedule"
        assert await next_but(other, "anybody?") == "node-1 plan schedule"


@pytest.mark.external
async def test_who_listens_to_a_connection_that_is_gone_is_told(
    postgres_database, postgres_database_url
):
    wakes = PostgresWakes(postgres_database, SystemClock())

    async with listening(wakes) as (_, task):
        await _cut(postgres_database_url)

        with pytest.raises(Unavailable):
            await task


@pytest.mark.external
async def test_connections_on_which_somebody_listened_hear_nothing_later(
    postgres_database, postgres_database_url
):
    wakes = PostgresWakes(postgres_database, SystemClock())
    async with listening(wakes):
        pass

    connection = await asyncpg.connect(postgres_database_url)
    await postgres_database.check()
    found = await postgres_database.fetch("SELECT count(*) FROM pg_listening_channels()", [])
    await connection.close()

    assert found[0][0] == 0


async def _cut(url):
    """End all other connections to the database."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
