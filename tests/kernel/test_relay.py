import asyncio
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa

from kernel.adapters.sql_outbox import OUTBOX, SqlOutbox
from kernel.backoff import Backoff
from kernel.errors import Denied, Unavailable
from kernel.outbox import RETENTION, Entry
from kernel.relay import Relay, RelayOptions
from kernel.workers import Pulse, Stop
from tests.support.metrics import value_of


@pytest.fixture
def outbox(sqlite_database, clock):
    return SqlOutbox(sqlite_database, clock)


class Handler:
    """Handles entries, except those whose payload is named in `refused`."""

    def __init__(self):
        self.batches = []
        self.refused = {}
        self.then = []
        self.called = asyncio.Event()

    async def __call__(self, entries):
        self.batches.append([entry.payload.decode() for entry in entries])
        self.called.set()
        for entry in entries:
            if (error := self.refused.get(entry.payload.decode())) is not None:
                raise error
        return self.then

    @property
    def handled(self):
        return [payload for batch in self.batches for payload in batch]


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
def relay_of(outbox, clock, metrics):
    def relay_of(handlers, *, pulse=None, **options):
        return Relay(
            outbox=outbox,
            handlers=handlers,
            clock=clock,
            metrics=metrics,
            options=RelayOptions(**options),
            pulse=pulse or Pulse(),
            backoff=Backoff(first=1.0, cap=1.0, floor=1.0),
        )

    return relay_of


@pytest.fixture
def relay(relay_of, handler):
    return relay_of({"k": handler}, attempts=3)


def entries(*payloads, kind="k"):
    return [Entry(kind=kind, payload=payload.encode()) for payload in payloads]


def counted(metrics, outcome, kind="k"):
    return value_of(metrics, "kernel_outbox_entries_total", kind=kind, outcome=outcome)


async def left(database):
    """What still waits, and what was buried with which error."""
    async with database.reading() as connection:
        rows = list(await connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.id)))
    waiting = [row.payload for row in rows if row.settled_at is None and row.buried_at is None]
    return waiting, {row.payload: row.error for row in rows if row.buried_at is not None}


async def test_due_entries_are_handed_over_as_one_batch_and_settled(
    relay, outbox, handler, metrics
):
    await outbox.add(entries("1", "2", "3"))

    assert await relay.step() == 3
    assert await relay.step() == 0

    assert handler.batches == [["1", "2", "3"]]
    assert counted(metrics, "settled") == 3


async def test_each_kind_goes_to_its_handler_and_others_are_left(relay_of, outbox):
    one, two = Handler(), Handler()
    await outbox.add(entries("1", kind="one") + entries("2", kind="two") + entries("3", kind="x"))

    assert await relay_of({"one": one, "two": two}).step() == 2

    assert (one.handled, two.handled) == (["1"], ["2"])


async def test_no_more_is_taken_than_a_batch(relay_of, outbox, handler):
    await outbox.add(entries("1", "2", "3"))
    relay = relay_of({"k": handler}, batch=2)

    assert [await relay.step() for _ in range(3)] == [2, 1, 0]


async def test_what_follows_is_written_and_handed_over(relay_of, outbox, handler):
    following = Handler()
    handler.then = entries("2", kind="next")
    relay = relay_of({"k": handler, "next": following})
    await outbox.add(entries("1"))

    await relay.step()
    await relay.step()

    assert following.handled == ["2"]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        AttributeError("no"),
        ZeroDivisionError("no"),
        msgspec.ValidationError("no"),
        Denied("no"),
        RuntimeError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_one_poisoned_entry_does_not_hold_back_the_others(
    relay, outbox, handler, sqlite_database, error
):
    await outbox.add(entries(*"1234567"))
    handler.refused = {"5": error}

    await relay.step()

    assert await left(sqlite_database) == (["5"], {})


async def test_a_poisoned_entry_among_many_is_found_by_halving(relay, outbox, handler):
    await outbox.add(entries(*map(str, range(256))))
    handler.refused = {"77": ValueError()}

    await relay.step()

    assert len(handler.batches) <= 2 * 8 + 1


async def test_a_failed_entry_is_tried_again_after_a_rest(relay, outbox, handler, clock, metrics):
    await outbox.add(entries("1"))
    handler.refused = {"1": ValueError()}
    await relay.step()
    handler.refused = {}

    assert await relay.step() == 0
    clock.move(seconds=1)
    assert await relay.step() == 1

    assert counted(metrics, "postponed") == counted(metrics, "settled") == 1


async def test_an_entry_that_keeps_failing_is_buried_with_its_error(
    relay, outbox, handler, clock, metrics, sqlite_database
):
    await outbox.add(entries("1"))
    handler.refused = {"1": ValueError("no such thing")}

    for _ in range(5):
        await relay.step()
        clock.move(seconds=1)

    assert len(handler.batches) == 3
    assert await left(sqlite_database) == ([], {"1": "ValueError: no such thing"})
    assert counted(metrics, "buried") == 1


async def test_what_is_unavailable_is_never_buried(relay, outbox, handler, clock, sqlite_database):
    await outbox.add(entries("1"))
    handler.refused = {"1": Unavailable("not now")}

    for _ in range(10):
        await relay.step()
        clock.move(seconds=1)

    assert len(handler.batches) == 10
    assert await left(sqlite_database) == (["1"], {})


async def test_a_bug_is_logged_as_an_error_with_its_story_each_time(
    relay, outbox, handler, clock, caplog
):
    await outbox.add(entries("1", "2"))
    handler.refused = {"1": AttributeError("no such thing")}

    for _ in range(3):
        await relay.step()
        clock.move(seconds=1)

    told = [(each.levelname, each.message) for each in caplog.records]
    assert told == [("ERROR", "outbox entry failed")] * 2 + [("ERROR", "outbox entry buried")]
    assert all("AttributeError" in str(each.exc_info) for each in caplog.records)


async def test_an_outage_is_logged_once_a_batch_without_a_story(relay, outbox, handler, caplog):
    await outbox.add(entries("1", "2", "3"))
    handler.refused = {"2": Unavailable("Redis does not answer.")}

    await relay.step()

    (told,) = caplog.records
    assert (told.levelname, told.message) == ("WARNING", "outbox entries postponed")
    assert (told.entries, told.exc_info) == (3, None)


async def test_a_batch_that_meets_an_outage_is_tried_once_and_rests_whole(
    relay, outbox, handler, clock, metrics
):
    await outbox.add(entries("1", "2", "3", "4"))
    handler.refused = {"1": Unavailable("Redis does not answer.")}

    await relay.step()
    assert handler.batches == [["1", "2", "3", "4"]]
    assert counted(metrics, "postponed") == 4

    handler.refused.clear()
    clock.move(seconds=1)
    await relay.step()
    assert handler.batches[1:] == [["1", "2", "3", "4"]]


async def test_entries_whose_consequences_cannot_be_written_fail_alone(
    relay_of, outbox, sqlite_database
):
    class Picky(Handler):
        async def __call__(self, entries):
            await super().__call__(entries)
            text = b"\xff" if any(entry.payload == b"2" for entry in entries) else b"{}"
            return [Entry(kind="next", payload=text)]

    await outbox.add(entries("1", "2", "3"))

    await relay_of({"k": Picky()}).step()

    assert (await left(sqlite_database))[0] == ["2", "{}", "{}"]


async def test_an_outage_of_the_database_buries_nothing_and_ends_the_worker(
    relay_of, outbox, sqlite_database
):
    await outbox.add(entries("1", "2"))

    class Outage(Handler):
        async def __call__(self, entries):
            async with sqlite_database.transaction() as connection:
                await connection.execute(sa.text("ALTER TABLE outbox RENAME TO gone"))
            raise ConnectionError

    with pytest.raises(sa.exc.OperationalError):
        await relay_of({"k": Outage()}, attempts=1).step()

    async with sqlite_database.transaction() as connection:
        await connection.execute(sa.text("ALTER TABLE gone RENAME TO outbox"))
    assert await left(sqlite_database) == (["1", "2"], {})


async def test_work_that_took_too_long_is_left_to_who_took_over(
    relay_of, outbox, clock, metrics, sqlite_database
):
    class Slow(Handler):
        async def __call__(self, entries):
            clock.move(minutes=1)
            await outbox.claim(["k"], now=clock.now(), lease=timedelta(minutes=5), limit=10)
            return []

    await outbox.add(entries("1"))

    await relay_of({"k": Slow()}).step()

    assert counted(metrics, "lost") == 1
    assert await left(sqlite_database) == (["1"], {})


async def test_old_entries_are_forgotten_once_in_a_while(relay, outbox, clock, sqlite_database):
    await outbox.add(entries("1"))
    await relay.step()
    clock.move(seconds=RETENTION.total_seconds() + 1)

    await relay.step()

    async with sqlite_database.reading() as connection:
        kept = await connection.execute(sa.select(sa.func.count()).select_from(OUTBOX))
        assert kept.scalar_one() == 0


async def test_forgetting_goes_on_at_the_next_step_while_there_is_more(
    relay_of, handler, sqlite_database, clock
):
    async with sqlite_database.transaction() as connection:
        await connection.execute(sa.text(_SETTLED_LONG_AGO), {"count": 20_001})
    relay = relay_of({"k": handler})

    kept = []
    for _ in range(3):
        await relay.step()
        async with sqlite_database.reading() as connection:
            count = sa.select(sa.func.count()).select_from(OUTBOX)
            kept.append((await connection.execute(count)).scalar_one())

    assert kept == [10_001, 1, 0]


_SETTLED_LONG_AGO = """
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
    INSERT INTO outbox (kind, payload, channel, "offset", transaction_id, created_at, due_at,
                        fence, attempts, settled_at)
    SELECT 'k', '{}', '', 0, 0, 0, 0, 1, 1, 0 FROM numbers
"""


async def test_how_far_it_is_behind_is_measured(relay, outbox, handler, clock, metrics):
    await outbox.add(entries("1"))
    clock.move(seconds=42)

    await relay.step()

    assert value_of(metrics, "kernel_outbox_oldest_due_age_seconds", kind="k") == 42


async def test_it_runs_until_it_is_stopped_and_wakes_by_its_pulse(outbox, handler, clock, metrics):
    pulse, stop = Pulse(), Stop()
    relay = Relay(
        outbox=outbox,
        handlers={"k": handler},
        clock=clock,
        metrics=metrics,
        options=RelayOptions(),
        pulse=pulse,
    )
    async with asyncio.TaskGroup() as group, asyncio.timeout(5):
        group.create_task(relay.run(stop))
        await clock.asleep()
        await outbox.add(entries("1"))
        pulse.beat()
        await handler.called.wait()
        stop.ask()


@pytest.fixture
async def running(relay_of, handler):
    """A relay that hands over batches of two at most, until the test ends."""
    stop = Stop()
    pulse = Pulse()
    relay = relay_of({"k": handler}, pulse=pulse, batch=2, poll_seconds=5.0, pause_seconds=0.05)
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run(stop))
        yield pulse
        stop.ask()


async def test_an_entry_that_comes_alone_is_handed_over_at_once(running, outbox, handler, clock):
    await clock.asleep()

    await outbox.add(entries("1"))
    running.beat()
    await handler.called.wait()

    assert handler.batches == [["1"]]


async def test_entries_that_follow_closely_are_handed_over_together(
    running, outbox, handler, clock
):
    await outbox.add(entries("1"))
    running.beat()
    await handler.called.wait()
    await clock.asleep()
    for payload in ("2", "3"):
        await outbox.add(entries(payload))
        running.beat()

    assert handler.batches == [["1"]]
    handler.called.clear()
    clock.move(seconds=0.05)
    await handler.called.wait()
    assert handler.batches == [["1"], ["2", "3"]]


async def test_while_batches_are_full_there_is_no_pause(running, outbox, handler):
    await outbox.add(entries("1", "2", "3", "4", "5"))
    running.beat()

    async with asyncio.timeout(5):
        while len(handler.batches) < 3:
            handler.called.clear()
            await handler.called.wait()

    assert handler.batches == [["1", "2"], ["3", "4"], ["5"]]


@pytest.mark.parametrize("wrong", ["batch", "lease_seconds", "poll_seconds", "attempts"])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=wrong):
        RelayOptions(**{wrong: 0})


def test_a_pause_may_be_left_out_but_is_never_negative():
    assert RelayOptions(pause_seconds=0).pause_seconds == 0
    with pytest.raises(ValueError, match="pause_seconds"):
        RelayOptions(pause_seconds=-1)
