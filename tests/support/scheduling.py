"""Schedulers, with the relays that say what went off, in processes of their own."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection

import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions, table_of
from kernel.adapters.database_clock import DatabaseClock
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.adapters.tables import OutboxRow
from kernel.backoff import Backoff
from kernel.clock import Clock, SystemClock
from kernel.ids import UserId, new_id
from kernel.metrics import Metrics
from kernel.notices import NOTICE, notice_of
from kernel.outbox import Claimed, Entry
from kernel.relay import Relay, RelayOptions
from kernel.supervisor import Supervisor
from kernel.workers import Pulse, Worker
from reminders.adapters.firing_columns import columns_of_firing
from reminders.adapters.mapping import (
    EVENTS,
    FIRINGS,
    MEMBERS,
    RULES,
    TASKS,
    Columns,
    columns_of_event,
    columns_of_member,
    columns_of_rule,
    columns_of_task,
)
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.adapters.sql_saying import SqlSayingStore
from reminders.announcer import Announcer
from reminders.firing import Firing, FiringClass
from reminders.handed import LATE, REMINDER
from reminders.identity import collapse_key
from reminders.scheduler import Scheduler, SchedulerOptions
from server.wiring.deeds import recorded
from tests.support.factories_firings import firing
from tests.support.factories_reminders import OPTING, SIGNER, KnownDays, event, member, rule, task
from tests.support.killing import Killable, until_told

OUTBOX = table_of(OutboxRow)
IN_ONE_EVENT = 25
"""Members; each is to be told of one task of its own."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What a scheduler needs to know."""

    database_url: str
    batch: int = 50
    lease_seconds: float = 2.0
    """A batch takes less, also where many share a core: or others do it all again."""

    def killable(self, number: int) -> list[Killable]:
        return [Killable(_main, self) for _ in range(number)]


def _main(duty: Duty, pipe: Connection) -> None:
    asyncio.run(_work(duty, pipe))


async def _work(duty: Duty, pipe: Connection) -> None:
    database = Database(DatabaseOptions(url=duty.database_url, sqlite_synchronous="NORMAL"))
    clock = DatabaseClock(SystemClock(), database, Metrics())
    supervisor = Supervisor(
        workers(database, clock, batch=duty.batch, lease_seconds=duty.lease_seconds),
        clock=clock,
        metrics=Metrics(),
        backoff=Backoff(first=0.1, cap=1.0, floor=0.1),
    )
    async with asyncio.TaskGroup() as working:
        working.create_task(supervisor.run())
        await until_told(pipe)
        supervisor.stop()
    await database.close()


class Heard(Announcer):
    """Remembers when it said what, by the machine's clock."""

    def __init__(self, **parts: object) -> None:
        super().__init__(**parts)  # type: ignore[arg-type]
        self.said: list[tuple[str, datetime]] = []

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        then = await super().handle(entries)
        at = SystemClock().now()
        self.said += ((notice_of(each.payload).collapse_key, at) for each in then)
        return then


def workers(
    database: Database,
    clock: Clock,
    *,
    batch: int,
    lease_seconds: float = 2.0,
    announcer: Announcer | None = None,
) -> list[Worker]:
    """A scheduler, and a relay for what it hands over and nothing else."""
    metrics, relaying = Metrics(), Pulse()
    announcer = announcer or announcer_of(database, clock)
    return [
        Scheduler(
            store=SqlFiringStore(database),
            operating=SqlOperatingStore(database, recorded),
            almanac=KnownDays(),
            clock=clock,
            metrics=metrics,
            options=SchedulerOptions(batch=batch, poll_seconds=0.1),
            relaying=relaying,
        ),
        Relay(
            outbox=SqlOutbox(database, clock),
            handlers=dict.fromkeys([REMINDER, LATE], announcer.handle),
            clock=clock,
            metrics=metrics,
            options=RelayOptions(batch=batch, lease_seconds=lease_seconds, poll_seconds=0.1),
            pulse=relaying,
        ),
    ]


def announcer_of(database: Database, clock: Clock) -> Heard:
    return Heard(
        store=SqlSayingStore(database),
        almanac=KnownDays(),
        operating=SqlOperatingStore(database, recorded),
        clock=clock,
        metrics=Metrics(),
        default_locale="en",
        signer=SIGNER,
        opting=OPTING,
    )


async def spike(database: Database, *, number: int, due: Sequence[datetime]) -> list[Firing]:
    """So many firings of as many users, due at these instants in turn."""
    now = SystemClock().now()
    firings: list[Firing] = []
    rows: dict[sa.Table, list[Columns]] = {each: [] for each in (EVENTS, MEMBERS, TASKS, RULES)}
    for first in range(0, number, IN_ONE_EVENT):
        about = event()
        users = [UserId(f"{uuid.uuid4().hex}") for _ in range(min(IN_ONE_EVENT, number - first))]
        tasks, what = [task(about) for _ in users], rule(about)
        rows[EVENTS].append(columns_of_event(about) | {"planned_until": about.created_at})
        rows[MEMBERS] += [columns_of_member(member(about, each)) for each in users]
        rows[TASKS] += [columns_of_task(each) | {"changed_at": now} for each in tasks]
        rows[RULES].append(columns_of_rule(what))
        firings += (
            firing(
                about,
                job.id,
                what.id,
                user_id,
                due[(first + place) % len(due)],
                nominal_day=now.date(),
                firing_class=FiringClass.EXACT_CALENDAR,
                grace=timedelta(minutes=30),
                useful_until=now + timedelta(days=9),
            )
            for place, (user_id, job) in enumerate(zip(users, tasks, strict=True))
        )
    rows[FIRINGS] = [{"id": new_id(now), **columns_of_firing(each)} for each in firings]
    async with database.transaction() as connection:
        for table, columns in rows.items():
            for start in range(0, len(columns), 1000):
                await connection.execute(table.insert(), columns[start : start + 1000])
    return firings


async def notices_by_key(database: Database) -> list[str]:
    """Which firings have a notice; one is there as often as it has."""
    query = sa.select(OUTBOX.c.payload).where(OUTBOX.c.kind == NOTICE)
    async with database.reading() as connection:
        payloads = (await connection.execute(query)).scalars()
        return [notice_of(each.encode()).collapse_key for each in payloads]


async def said_all(database: Database, firings: Sequence[Firing]) -> None:
    """Wait until each of the firings has a notice."""
    keys = {collapse_key(each.dedupe_key) for each in firings}
    before = 0
    while True:
        # All are read when as many are there: a look costs the cores that schedulers need.
        async with database.reading() as connection:
            notices = (await connection.execute(_NOTICES)).scalar_one()
        if notices >= len(keys) and notices != before:
            if not keys - set(await notices_by_key(database)):
                return
            before = notices
        await asyncio.sleep(0.2)


_NOTICES = sa.select(sa.func.count()).select_from(OUTBOX).where(OUTBOX.c.kind == NOTICE)
