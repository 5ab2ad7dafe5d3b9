"""Everybody's reminders at once in one process on SQLite, while people go on writing."""

import asyncio
import statistics
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from benchmarks.push_ground import tables_of
from benchmarks.reminders_planning import wedding
from benchmarks.reminders_worker import NoRamadan
from kernel.adapters.database import Database, DatabaseOptions
from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.metrics import Metrics
from kernel.workers import Pulse
from reminders.adapters.firing_columns import columns_of_firing
from reminders.adapters.mapping import FIRINGS
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.firing import Firing, FiringClass
from reminders.scheduler import ONE_WRITER_BATCH, Scheduler, SchedulerOptions
from reminders.types import Event
from reminders.usual import FIRST_USUAL
from server.wiring.deeds import recorded

DUE = 20_000
EVENTS = 20


@dataclass(frozen=True, slots=True)
class OnSqlite:
    """The spike, and the writes of others meanwhile."""

    due: int
    seconds: float
    per_second: float
    writes: int
    write_p50_ms: float
    write_p99_ms: float


def on_sqlite() -> OnSqlite:
    """In a file, flushed at every commit."""
    with TemporaryDirectory() as folder:
        return uvloop.run(_measured(Path(folder)))


async def _measured(folder: Path) -> OnSqlite:
    database = Database(DatabaseOptions(url=f"sqlite:///{folder / 'spike.sqlite3'}"))
    await tables_of(database)
    events = await _filled(database)
    scheduler = Scheduler(
        store=SqlFiringStore(database),
        operating=SqlOperatingStore(database, recorded),
        almanac=NoRamadan(),
        clock=SystemClock(),
        metrics=Metrics(),
        options=SchedulerOptions(batch=ONE_WRITER_BATCH),
        relaying=Pulse(),
    )
    took: list[float] = []
    writing = asyncio.create_task(_write(database, events, took))
    await asyncio.sleep(0)
    began, count = time.perf_counter(), 0
    while count < DUE:
        count += await scheduler.step()
    seconds = time.perf_counter() - began
    writing.cancel()
    await asyncio.wait([writing])
    await database.close()
    return OnSqlite(
        due=DUE,
        seconds=round(seconds, 2),
        per_second=round(DUE / seconds, 1),
        writes=len(took),
        write_p50_ms=round(statistics.median(took), 2),
        write_p99_ms=round(statistics.quantiles(took, n=100)[98], 2),
    )


async def _filled(database: Database) -> list[Event]:
    calendar, now = SqlCalendarStore(database), SystemClock().now()
    events: list[Event] = []
    firings: list[Firing] = []
    for number in range(EVENTS):
        event, members, tasks, people = wedding(number, now)
        await calendar.create(event, None)
        for person in people:
            await calendar.change_person(person.user_id, lambda _, new=person: new, now=now)
        await calendar.change(event.id, lambda _, new=(*members, *tasks): new, now=now)
        events.append(event)
        firings += (
            Firing(
                dedupe_key=uuid.uuid4().bytes,
                due_at=now,
                nominal_day=now.date(),
                event_id=event.id,
                task_id=tasks[each % len(tasks)].id,
                rule_id=FIRST_USUAL,
                user_id=members[each % len(members)].user_id,
                firing_class=FiringClass.EXACT_CALENDAR,
                grace=tasks[0].planned_from - event.planned_from,
                useful_until=now.replace(year=now.year + 1),
                zone=event.zone,
                event_version=1,
                task_version=1,
            )
            for each in range(DUE // EVENTS)
        )
    rows = [{"id": new_id(now), **columns_of_firing(each)} for each in firings]
    async with database.transaction() as connection:
        await connection.execute(FIRINGS.insert(), rows)
    return events


async def _write(database: Database, events: list[Event], took: list[float]) -> None:
    """Somebody renames an event every ten milliseconds."""
    calendar, clock = SqlCalendarStore(database), SystemClock()
    for number in range(10**6):
        event = events[number % len(events)]
        renamed = replace(event, title=f"Mariage {number}")
        began = time.perf_counter()
        await calendar.change(event.id, lambda _, to=renamed: [to], now=clock.now())
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.01)
