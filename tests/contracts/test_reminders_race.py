"""Schedulers, relays and users at once over real connections, each on a clock of its own."""

import asyncio
import uuid
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.database_clock import DatabaseClock
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.notices import notice_of, recall_key
from kernel.workers import Pulse, Stop
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.firing import FiringClass
from reminders.handed import REMINDER
from reminders.identity import collapse_key
from reminders.ports import Look
from reminders.tasks import Tasks
from tests.support.factories_reminders import server
from tests.support.scheduling import OUTBOX, announcer_of, said_all, spike, workers


async def test_nobody_is_reminded_of_what_was_done_before(database):
    """Done races claims and announcements: what was done first is never told, and what was
    told first is recalled."""
    clock = SystemClock()
    due = clock.now() - timedelta(minutes=1)
    firings = await spike(database, number=60, due=[due])
    store, outbox = SqlFiringStore(database), SqlOutbox(database, clock)
    tasks = Tasks(store=SqlCalendarStore(database), clock=clock, planning=Pulse())
    announcers = [announcer_of(database, clock) for _ in range(2)]
    over, told, told_late = set(), [], []
    everything_done = asyncio.Event()

    async def complete(some):
        for firing in some:
            await tasks.complete(server(), firing.event_id, firing.task_id)
            over.add(firing.task_id)

    async def schedule():
        while not everything_done.is_set():
            look = Look(clock.now())
            for shard in await store.due_shards(look):
                await store.fire_due(
                    shard, None, lambda *_: True, look=look, now=clock.now(), limit=7
                )
            await asyncio.sleep(0)

    async def announce(announcer):
        lease = timedelta(minutes=5)
        while not everything_done.is_set():
            claimed = await outbox.claim([REMINDER], now=clock.now(), lease=lease, limit=5)
            before = frozenset(over)
            then = await announcer.handle(claimed) if claimed else []
            await outbox.settle(claimed, then=then, now=clock.now())
            for entry in then:
                task_id = uuid.UUID(notice_of(entry.payload).data["task_id"])
                told.append(task_id)
                if task_id in before:
                    told_late.append(task_id)
            await asyncio.sleep(0)

    async def completing():
        await asyncio.gather(*(complete(firings[part::4]) for part in range(4)))
        everything_done.set()

    async with asyncio.timeout(100):
        await asyncio.gather(
            schedule(), schedule(), *(announce(each) for each in announcers), completing()
        )

    assert told_late == []
    assert max(Counter(told).values(), default=1) == 1
    async with database.reading() as connection:
        keys = set((await connection.execute(sa.select(OUTBOX.c.dedupe_key))).scalars())
    by_task = {each.task_id: each for each in firings}
    recalled = {
        recall_key(by_task[each].user_id, collapse_key(by_task[each].dedupe_key)) for each in told
    }
    assert recalled <= keys


@pytest.mark.external
async def test_schedulers_whose_clocks_are_seconds_apart_tell_once_and_never_early(
    postgres_database,
):
    class Wrong(SystemClock):
        def __init__(self, seconds):
            self.by = timedelta(seconds=seconds)

        def now(self):
            return super().now() + self.by

    database, begun = postgres_database, SystemClock().now()
    due = [begun + timedelta(milliseconds=100 * each) for each in range(30)]
    firings = await spike(database, number=60, due=due)
    announcers, stop = [], Stop()
    async with asyncio.timeout(100), asyncio.TaskGroup() as working:
        for seconds in (-1.5, 1.5):
            clock = DatabaseClock(Wrong(seconds), database, Metrics())
            await clock.open()
            announcers.append(announcer_of(database, clock))
            for worker in workers(database, clock, batch=9, announcer=announcers[-1]):
                working.create_task(worker.run(stop))
        await said_all(database, firings)
        stop.ask()

    said = [each for announcer in announcers for each in announcer.said]
    assert Counter(key for key, _ in said) == Counter(
        collapse_key(each.dedupe_key) for each in firings
    )
    at = {collapse_key(each.dedupe_key): each.due_at for each in firings}
    early = [when - at[key] for key, when in said if when < at[key] - timedelta(milliseconds=50)]
    assert early == []
    assert {each.firing_class for each in firings} == {FiringClass.EXACT_CALENDAR}
