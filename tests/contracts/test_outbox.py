"""What every outbox promises, SQLite and PostgreSQL alike."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.sql_outbox import OUTBOX, SqlOutbox, write_entries
from kernel.outbox import LOOK, RETENTION, Entry

LEASE = timedelta(seconds=30)


@pytest.fixture
def outbox(database, clock):
    return SqlOutbox(database, clock)


@pytest.fixture
def claim(outbox, clock):
    """Claim entries of the kind `k` now."""

    async def claim(*kinds, limit=100):
        return await outbox.claim(kinds or ["k"], now=clock.now(), lease=LEASE, limit=limit)

    return claim


def entry(payload="{}", **more):
    return Entry(**{"kind": "k", "payload": payload.encode(), **more})


def payloads(claimed):
    return [each.payload.decode() for each in claimed]


async def test_what_is_added_is_claimed_as_it_was_with_its_first_attempt(outbox, claim, clock):
    text = '{"ar": "سلام", "n": 1.50}'
    await outbox.add([entry(text)])

    (claimed,) = await claim()

    assert (claimed.kind, claimed.payload, claimed.attempts) == ("k", text.encode(), 1)
    assert claimed.created_at == clock.now()


async def test_adding_nothing_writes_nothing(outbox, claim):
    await outbox.add([])

    assert await claim() == []


async def test_entries_come_oldest_due_first_then_in_the_order_they_were_written(
    outbox, claim, clock
):
    later = clock.now() + timedelta(seconds=5)
    await outbox.add([entry("1", due_at=later), entry("2"), entry("3")])
    await outbox.add([entry("4")])
    clock.move(seconds=5)

    assert payloads(await claim()) == ["2", "3", "4", "1"]


async def test_an_entry_is_not_claimed_before_it_is_due(outbox, claim, clock):
    await outbox.add([entry(due_at=clock.now() + timedelta(seconds=5))])

    assert await claim() == []
    clock.move(seconds=5)
    assert len(await claim()) == 1


async def test_only_the_kinds_asked_for_are_claimed(outbox, claim):
    await outbox.add([entry("1"), entry("2", kind="other"), entry("3", kind="third")])

    assert payloads(await claim("third", "k")) == ["1", "3"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_finds_what_is_due_without_sorting_all_that_waits(database, claim):
    ran = []

    def note(_connection, _cursor, statement, values, *_):
        ran.append((statement, values))

    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    await claim()

    ((statement, values),) = [each for each in ran if each[0].startswith("UPDATE")]
    async with database.transaction() as connection:
        steps = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        plan = [step.detail for step in steps]
    assert "SEARCH outbox USING INDEX ix_outbox_waiting (due_at<?)" in plan


async def test_the_limit_takes_the_oldest(outbox, claim):
    await outbox.add([entry(str(number)) for number in range(10)])

    assert payloads(await claim(limit=3)) == ["0", "1", "2"]
    assert payloads(await claim(limit=3)) == ["3", "4", "5"]


async def test_a_dedupe_key_is_written_once_even_within_one_write(outbox, claim):
    await outbox.add([entry("1", dedupe_key="d"), entry("2", dedupe_key="d"), entry("3")])
    await outbox.add([entry("4", dedupe_key="d"), entry("5")])

    assert payloads(await claim()) == ["1", "3", "5"]


async def test_a_dedupe_key_still_counts_after_its_entry_was_settled(outbox, claim, clock):
    await outbox.add([entry(dedupe_key="d")])
    await outbox.settle(await claim(), now=clock.now())

    await outbox.add([entry(dedupe_key="d")])

    assert await claim() == []


async def test_five_hundred_entries_are_written_at_once(outbox, claim):
    await outbox.add([entry(str(number), dedupe_key=f"d{number}") for number in range(500)])

    assert payloads(await claim(limit=1000)) == [str(number) for number in range(500)]


async def test_entries_share_the_fate_of_the_transaction_that_writes_them(database, claim, clock):
    async def fail() -> None:
        async with database.transaction() as connection:
            await write_entries(connection, [entry()], clock.now())
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert await claim() == []


async def test_a_claimed_entry_is_held_until_its_lease_ends(outbox, claim, clock):
    await outbox.add([entry()])
    (first,) = await claim()

    assert await claim() == []
    clock.move(seconds=LEASE.total_seconds())
    (second,) = await claim()

    assert second.id == first.id
    assert second.fence > first.fence
    assert second.attempts == 2


async def test_a_settled_entry_never_comes_back(outbox, claim, clock):
    await outbox.add([entry()])

    assert await outbox.settle(await claim(), now=clock.now()) == 1

    clock.move(hours=1)
    assert await claim() == []


async def test_what_follows_is_written_once_however_often_settling_is_tried(outbox, claim, clock):
    await outbox.add([entry("1"), entry("2")])
    done = await claim()

    first = await outbox.settle(done, then=[entry("3")], now=clock.now())
    second = await outbox.settle(done, then=[entry("3")], now=clock.now())

    assert (first, second) == (2, 0)
    assert payloads(await claim()) == ["3"]


async def test_losing_one_entry_of_a_batch_settles_none_of_it(outbox, claim, clock):
    await outbox.add([entry("1"), entry("2")])
    slow = await claim()
    clock.move(minutes=1)
    (retaken,) = await claim(limit=1)

    assert await outbox.settle(slow, then=[entry("3")], now=clock.now()) == 0

    assert payloads(await claim()) == ["2"]
    assert await outbox.settle([retaken], now=clock.now()) == 1


async def test_a_late_settling_counts_if_nobody_took_over(outbox, claim, clock):
    await outbox.add([entry()])
    done = await claim()
    clock.move(hours=1)

    assert await outbox.settle(done, now=clock.now()) == 1


async def test_settling_nothing_writes_what_follows(outbox, claim, clock):
    assert await outbox.settle([], then=[entry("1")], now=clock.now()) == 0

    assert payloads(await claim()) == ["1"]


async def test_a_postponed_entry_comes_back_when_it_is_due_again(outbox, claim, clock):
    await outbox.add([entry()])
    (failed,) = await claim()

    until = clock.now() + timedelta(seconds=7)
    assert await outbox.postpone(failed, until=until, error="ValueError: no")

    assert await claim() == []
    clock.move(seconds=7)
    (again,) = await claim()
    assert again.attempts == 2


async def test_a_buried_entry_stays_for_the_operator_with_its_error(outbox, claim, clock, database):
    await outbox.add([entry()])
    (failed,) = await claim()

    assert await outbox.postpone(failed, until=None, error="ValueError: no")

    clock.move(days=1)
    assert await claim() == []
    assert await outbox.prune(now=clock.now(), limit=10) == 0
    async with database.reading() as connection:
        row = (await connection.execute(sa.select(OUTBOX.c.error, OUTBOX.c.buried_at))).one()
    assert row.error == "ValueError: no"
    assert row.buried_at == clock.now() - timedelta(days=1)


async def test_what_was_given_back_can_be_neither_settled_nor_given_back_again(
    outbox, claim, clock
):
    await outbox.add([entry()])
    (failed,) = await claim()
    await outbox.postpone(failed, until=clock.now(), error="")

    assert not await outbox.postpone(failed, until=clock.now(), error="")
    assert await outbox.settle([failed], now=clock.now()) == 0


async def test_a_slow_relay_cannot_postpone_what_another_took_over(outbox, claim, clock):
    await outbox.add([entry()])
    (slow,) = await claim()
    clock.move(minutes=1)
    await claim()

    assert not await outbox.postpone(slow, until=None, error="")


async def test_claimers_at_the_same_time_never_share_an_entry(outbox, claim):
    await outbox.add([entry(str(number)) for number in range(200)])

    takings = await asyncio.gather(*(claim(limit=30) for _ in range(8)))

    taken = [each.id for taking in takings for each in taking]
    assert len(taken) == len(set(taken)) == 200


async def test_pruning_forgets_settled_entries_after_the_retention_only(outbox, claim, clock):
    await outbox.add([entry(str(number)) for number in range(5)])
    await outbox.settle(await claim(limit=4), now=clock.now())

    clock.move(seconds=RETENTION.total_seconds())
    assert await outbox.prune(now=clock.now(), limit=3) == 0
    clock.move(seconds=1)
    assert await outbox.prune(now=clock.now(), limit=3) == 3
    assert await outbox.prune(now=clock.now(), limit=3) == 1
    assert await outbox.prune(now=clock.now(), limit=3) == 0
    assert payloads(await claim()) == ["4"]


async def test_the_backlog_has_the_age_of_the_oldest_due_entry_of_each_kind(outbox, claim, clock):
    await outbox.add([entry(kind="a"), entry(kind="b")])
    clock.move(seconds=3)
    await outbox.add([entry(kind="a"), entry(kind="c", due_at=clock.now() + LEASE)])
    clock.move(seconds=1.5)
    await outbox.settle(await claim("b"), now=clock.now())

    assert (await outbox.backlog(now=clock.now())).ages == {"a": 4.5}


async def test_the_backlog_has_how_many_entries_are_where(outbox, claim, clock):
    await outbox.add([entry(str(number)) for number in range(9)])
    await claim(limit=1)
    clock.move(seconds=31)
    held = await claim(limit=4)
    await outbox.settle(held[:1], now=clock.now())
    await outbox.postpone(held[1], until=None, error="buried")
    await outbox.add([entry(due_at=clock.now() + LEASE)])

    found = await outbox.backlog(now=clock.now())

    assert (found.ready, found.leased, found.abandoned, found.later, found.buried) == (
        5,
        2,
        0,
        1,
        1,
    )


async def test_what_was_taken_and_not_done_in_time_is_abandoned(outbox, claim, clock):
    await outbox.add([entry()])
    await claim()
    clock.move(seconds=31)

    found = await outbox.backlog(now=clock.now())

    assert (found.ready, found.leased, found.abandoned) == (0, 0, 1)


async def test_counting_stops_where_there_is_much(outbox, clock):
    await outbox.add([entry() for _ in range(LOOK + 10)])
    await outbox.add([entry(due_at=clock.now() + LEASE) for _ in range(LOOK + 10)])

    found = await outbox.backlog(now=clock.now())

    assert (found.ready, found.later) == (LOOK, LOOK)


async def test_growth_is_told_from_the_cursor_on_with_the_highest_offset(outbox):
    await outbox.add([entry(channel="before", offset=1)])
    cursor = (await outbox.moved(None)).cursor

    await outbox.add([entry(), entry(channel="a", offset=7), entry(channel="a", offset=8)])
    await outbox.add([entry(channel="b", offset=1)])

    moved = await outbox.moved(cursor)
    assert moved.offsets == {"a": 8, "b": 1}
    assert (await outbox.moved(moved.cursor)).offsets == {}


async def test_asking_for_the_cursor_tells_no_growth(outbox):
    await outbox.add([entry(channel="a", offset=1)])

    assert (await outbox.moved(None)).offsets == {}


async def test_growth_is_told_although_the_entry_was_settled_already(outbox, claim, clock):
    cursor = (await outbox.moved(None)).cursor
    await outbox.add([entry(channel="a", offset=1)])
    await outbox.settle(await claim(), now=clock.now())

    assert (await outbox.moved(cursor)).offsets == {"a": 1}


async def test_growth_is_told_although_everything_before_was_pruned(outbox, claim, clock):
    await outbox.add([entry(channel="a", offset=1)])
    cursor = (await outbox.moved(None)).cursor
    await outbox.settle(await claim(), now=clock.now())
    clock.move(hours=1)
    assert await outbox.prune(now=clock.now(), limit=10) == 1

    await outbox.add([entry(channel="a", offset=2)])

    assert (await outbox.moved(cursor)).offsets == {"a": 2}


@pytest.mark.external
async def test_growth_is_told_in_whatever_order_transactions_commit(postgres_database, clock):
    outbox = SqlOutbox(postgres_database, clock)
    cursor = (await outbox.moved(None)).cursor
    told: dict[str, int] = {}

    async def look() -> None:
        nonlocal cursor
        moved = await outbox.moved(cursor)
        cursor = moved.cursor
        told.update(moved.offsets)

    async with postgres_database.transaction() as early:
        await write_entries(early, [entry(channel="early", offset=1)], clock.now())
        async with postgres_database.transaction() as late:
            await write_entries(late, [entry(channel="late", offset=1)], clock.now())
        await look()
        assert told == {"late": 1}, "a committed entry waits for nobody"
        await look()
    await look()

    assert told == {"late": 1, "early": 1}
    assert (await outbox.moved(cursor)).offsets == {}


@pytest.mark.external
async def test_a_cursor_ahead_of_the_server_falls_back_to_its_present(postgres_database, clock):
    outbox = SqlOutbox(postgres_database, clock)
    present = (await outbox.moved(None)).cursor

    assert (await outbox.moved(present + 10_000)).cursor < present + 10_000


async def test_whatever_the_error_says_a_failed_entry_can_be_given_back(outbox, claim, database):
    await outbox.add([entry()])
    (claimed,) = await claim()

    assert await outbox.postpone(claimed, until=None, error="NUL \0, \ud800, " + "x" * 10_000)

    async with database.reading() as connection:
        kept = (await connection.execute(sa.select(OUTBOX.c.error))).scalar_one()
    assert kept.startswith("NUL , ?, xxx")
    assert len(kept) == 2_000
