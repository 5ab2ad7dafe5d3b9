"""What every store may expect of a database, SQLite and PostgreSQL alike."""

import asyncio
import os
import signal
import threading
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from kernel.adapters import pinging
from kernel.adapters.database import Database, DatabaseOptions, table_of
from kernel.adapters.tables import LeaseRow
from kernel.errors import Unavailable
from tests.support.clock import START
from tests.support.cutting import end_all_others

LEASES = table_of(LeaseRow)


async def _names(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list((await connection.execute(sa.select(LEASES.c.name))).scalars())


def _lease(name: str, *, fence: int = 1, expires_at: datetime = START) -> dict[str, object]:
    return {"name": name, "holder": "a", "fence": fence, "expires_at": expires_at}


async def test_it_answers(database):
    await database.check()


async def test_a_transaction_is_kept_at_its_end(database):
    async with database.transaction() as connection:
        await connection.execute(LEASES.insert(), _lease("one"))

    assert await _names(database) == ["one"]


async def test_an_exception_undoes_the_whole_transaction(database):
    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(LEASES.insert(), _lease("one"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert await _names(database) == []


async def test_readers_do_not_wait_for_a_writer_and_see_nothing_of_it(database):
    async with database.transaction() as connection:
        await connection.execute(LEASES.insert(), _lease("one"))

        assert await _names(database) == []


async def test_writers_take_turns(database):
    async def add(number: int) -> None:
        async with database.transaction() as connection:
            await connection.execute(LEASES.insert(), _lease(str(number)))

    await asyncio.gather(*(add(number) for number in range(40)))

    assert len(await _names(database)) == 40


async def test_an_instant_comes_back_as_it_was_in_utc(database):
    algiers = timezone(timedelta(hours=1))
    instant = datetime(2026, 3, 1, 9, 30, 15, 123456, tzinfo=algiers)
    async with database.transaction() as connection:
        await connection.execute(LEASES.insert(), _lease("one", expires_at=instant))

    async with database.reading() as connection:
        kept = (await connection.execute(sa.select(LEASES.c.expires_at))).scalar_one()

    assert kept == instant
    assert kept.utcoffset() == timedelta(0)


async def test_instants_before_1970_keep_every_digit(database):
    instant = START.replace(year=1901, microsecond=1)
    async with database.transaction() as connection:
        await connection.execute(LEASES.insert(), _lease("one", expires_at=instant))

    async with database.reading() as connection:
        assert (await connection.execute(sa.select(LEASES.c.expires_at))).scalar_one() == instant


async def test_a_naive_instant_is_refused(database):
    naive = _lease("one", expires_at=START.replace(tzinfo=None))

    async with database.transaction() as connection:
        with pytest.raises(sa.exc.StatementError, match="needs a time zone"):
            await connection.execute(LEASES.insert(), naive)


async def test_inserting_what_is_new_leaves_what_was_there(database):
    statement = database.insert_new(LEASES, on=["name"])
    async with database.transaction() as connection:
        await connection.execute(statement, _lease("one", fence=1))
        await connection.execute(statement, _lease("one", fence=2))
        fences = list((await connection.execute(sa.select(LEASES.c.fence))).scalars())

    assert fences == [1]


async def test_an_upsert_changes_the_named_columns_only(database):
    statement = database.upsert(LEASES, on=["name"], update=["fence"])
    async with database.transaction() as connection:
        await connection.execute(statement, _lease("one", fence=1))
        later = START + timedelta(hours=1)
        await connection.execute(statement, _lease("one", fence=2, expires_at=later))
        row = (await connection.execute(sa.select(LEASES.c.fence, LEASES.c.expires_at))).one()

    assert tuple(row) == (2, START)


async def test_a_database_that_is_away_is_reported_as_unavailable(tmp_path):
    nowhere = [f"sqlite:///{tmp_path}/missing/zaffa.sqlite3", "postgresql://x@127.0.0.1:1/x"]
    for url in nowhere:
        database = Database(DatabaseOptions(url=url))
        with pytest.raises(Unavailable):
            await database.check()
        await database.close()
    await _threads_end()


async def _threads_end() -> None:
    """A connection that failed is told so in its thread; that tells the loop, which must live."""
    async with asyncio.timeout(10):
        while any("_connection_worker" in each.name for each in threading.enumerate()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "mysql://x"},
        {"url": "postgresql://zaffa@host:geheim/zaffa"},
        {"statement_seconds": 1},
        {"pool_size": 1},
        {"timeout_seconds": 0},
        {"sqlite_synchronous": "OFF"},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))) as refused:
        DatabaseOptions(**wrong)

    assert "geheim" not in str(refused.value)


@pytest.fixture
async def small(database_url):
    """A database with few connections and little patience."""
    opened = Database(DatabaseOptions(url=database_url, pool_size=2, timeout_seconds=0.2))
    yield opened
    await opened.close()


async def test_without_a_connection_to_spare_it_is_unavailable_for_now(small):
    async def take(number: int) -> None:
        async with small.transaction():
            if number:
                await take(number - 1)

    with pytest.raises(Unavailable, match="does not answer"):
        await take(3)

    await small.check()


async def test_what_a_statement_did_wrong_is_no_outage(database):
    with pytest.raises(sa.exc.DBAPIError):
        async with database.transaction() as connection:
            await connection.execute(sa.text("SELECT nothing FROM nowhere"))


@pytest.mark.external
@pytest.mark.parametrize("at_its_end", [True, False], ids=["at its end", "in the middle"])
async def test_a_connection_that_is_lost_in_a_transaction_is_an_outage(
    postgres_database, at_its_end
):
    async def lose_it() -> None:
        async with postgres_database.transaction() as connection:
            backend = (await connection.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
            async with postgres_database.reading() as other:
                end = sa.text("SELECT pg_terminate_backend(:backend, 5000)")
                await other.execute(end, {"backend": backend})
            if not at_its_end:
                await connection.execute(sa.text("SELECT 1"))

    with pytest.raises(Unavailable):
        await lose_it()

    await postgres_database.check()


@pytest.mark.external
async def test_no_statement_may_take_for_ever(postgres_database_url):
    options = DatabaseOptions(url=postgres_database_url, timeout_seconds=0.1, statement_seconds=0.1)
    database = Database(options)

    with pytest.raises(Unavailable):
        async with database.transaction() as connection:
            await connection.execute(sa.text("SELECT pg_sleep(30)"))
    await database.close()


@pytest.mark.external
async def test_a_database_that_falls_silent_is_unavailable_after_a_while(postgres_database_url):
    options = DatabaseOptions(url=postgres_database_url, timeout_seconds=0.1, statement_seconds=0.1)
    database = Database(options)

    async def ask_the_silent() -> None:
        async with database.transaction() as connection:
            backend = (await connection.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
            os.kill(backend, signal.SIGSTOP)
            try:
                await connection.execute(sa.text("SELECT 1"))
            finally:
                os.kill(backend, signal.SIGCONT)

    with pytest.raises(Unavailable):
        await ask_the_silent()
    await database.check()
    # The driver takes its question back over a connection of its own, and closes that later.
    await asyncio.sleep(0.5)
    await database.close()


@pytest.mark.external
async def test_who_hangs_inside_a_transaction_loses_its_locks(postgres_database_url):
    options = DatabaseOptions(url=postgres_database_url, timeout_seconds=0.1, statement_seconds=0.1)
    hanging = Database(options)
    other = Database(DatabaseOptions(url=postgres_database_url))

    async def hang() -> None:
        async with hanging.transaction() as connection:
            await connection.execute(sa.text("LOCK TABLE leases IN EXCLUSIVE MODE"))
            async with other.transaction() as waiting:
                await waiting.execute(LEASES.insert(), _lease("one"))

    with pytest.raises(Unavailable):
        await hang()

    assert await _names(other) == ["one"]
    await hanging.close()
    await other.close()


@pytest.mark.external
async def test_a_database_that_does_not_exist_is_unavailable_with_the_reason(postgres_url):
    database = Database(DatabaseOptions(url=f"{postgres_url.rpartition('/')[0]}/nowhere"))

    with pytest.raises(Unavailable) as refused:
        await database.check()
    await database.close()

    assert refused.value.reason == 'database "nowhere" does not exist'
    assert "nowhere" not in refused.value.message


async def test_an_error_names_the_statement_and_never_its_values(database):
    """It reaches logs; addresses of devices and what people write do not belong there."""
    with pytest.raises(sa.exc.SQLAlchemyError) as refused:
        async with database.transaction() as connection:
            await connection.execute(sa.text("SELECT no_such_thing(:words)"), {"words": "a secret"})

    assert "no_such_thing" in str(refused.value)
    assert "a secret" not in str(refused.value)


@pytest.mark.external
async def test_connections_that_were_lost_while_they_rested_are_replaced_unnoticed(
    postgres_database, postgres_database_url, monkeypatch
):
    monkeypatch.setattr(pinging, "RESTED", 0.0)
    async with postgres_database.reading(), postgres_database.reading():
        pass
    await end_all_others(postgres_database_url)

    async with postgres_database.reading() as one, postgres_database.reading() as other:
        assert (await one.execute(sa.text("SELECT 1"))).scalar_one() == 1
        assert (await other.execute(sa.text("SELECT 2"))).scalar_one() == 2


@pytest.mark.external
async def test_connections_that_were_lost_just_now_are_met_as_an_outage_once(
    postgres_database, postgres_database_url, monkeypatch
):
    monkeypatch.setattr(pinging, "RESTED", 3600.0)
    async with postgres_database.reading(), postgres_database.reading():
        pass
    await end_all_others(postgres_database_url)

    with pytest.raises(Unavailable):
        await postgres_database.check()
    for _ in range(3):
        await postgres_database.check()
