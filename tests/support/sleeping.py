"""A scheduler in a process of its own that would not look again for an hour."""

import asyncio
from dataclasses import dataclass
from multiprocessing.connection import Connection

from kernel.adapters.bus_wakes import BusWakes
from kernel.adapters.database import Database, DatabaseOptions
from kernel.adapters.postgres_wakes import PostgresWakes
from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_options import RedisOptions
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.waking import Waking
from kernel.workers import Pulse, Stop
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.scheduler import Scheduler, SchedulerOptions
from server.wiring.deeds import recorded
from tests.support.factories_reminders import KnownDays
from tests.support.killing import Killable, until_told

AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Sleeper:
    """Where it sleeps, and by which way it is woken: through Redis, or else PostgreSQL."""

    database_url: str
    redis: RedisOptions | None = None

    def killable(self) -> Killable:
        return Killable(_main, self)


class Bedside:
    """A process's database, its way to wake others and to be woken."""

    def __init__(self, sleeper: Sleeper, node_id: str) -> None:
        self.clock = SystemClock()
        self.database = Database(DatabaseOptions(url=sleeper.database_url))
        self.bus: RedisBus | None = None
        wakes: BusWakes | PostgresWakes = PostgresWakes(self.database, self.clock)
        if sleeper.redis is not None:
            self.bus = RedisBus(sleeper.redis, clock=self.clock, metrics=Metrics())
            wakes = BusWakes(self.bus)
        self.waking = Waking(wakes, node_id=node_id, clock=self.clock, metrics=Metrics())

    async def open(self) -> None:
        if self.bus is not None:
            await self.bus.open()

    async def close(self) -> None:
        if self.bus is not None:
            await self.bus.close()
        await self.database.close()


def _main(sleeper: Sleeper, pipe: Connection) -> None:
    asyncio.run(_sleep(sleeper, pipe))


async def _sleep(sleeper: Sleeper, pipe: Connection) -> None:
    bedside, woken, asked, stop = Bedside(sleeper, "sleeper"), Pulse(), Pulse(), Stop()
    await bedside.open()
    scheduler = Scheduler(
        store=SqlFiringStore(bedside.database),
        operating=SqlOperatingStore(bedside.database, recorded),
        almanac=KnownDays(),
        clock=bedside.clock,
        metrics=Metrics(),
        options=SchedulerOptions(poll_seconds=AN_HOUR),
        relaying=Pulse(),
        pulse=woken,
    )
    bedside.waking.feel("schedule", woken)
    bedside.waking.feel("anybody?", asked)

    async def answer() -> None:
        await asked.wait()
        pipe.send("asleep")

    async with asyncio.TaskGroup() as group:
        group.create_task(scheduler.run(stop))
        group.create_task(bedside.waking.run(stop))
        answering = group.create_task(answer())
        await until_told(pipe)
        answering.cancel()
        stop.ask()
    await bedside.close()
