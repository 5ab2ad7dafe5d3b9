"""One scheduler in a process of its own: lets everything go off that is due, and tells how."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import timedelta

import uvloop

from benchmarks.machine import as_served
from kernel.adapters.database import Database, DatabaseOptions
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.workers import Pulse
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.firing import FiringClass, Tally
from reminders.person import Ramadan
from reminders.scheduler import Scheduler, SchedulerOptions
from server.wiring.deeds import recorded

SPIKE = FiringClass.POLICY_NEAR
"""The class of what is due at once."""


class Watched(SqlFiringStore):
    """Remembers each batch with firings of the spike in it: when it was done, how many these
    were, and how long it took."""

    batches: list[tuple[float, int, float]]

    async def fire_due(self, *args: object, **kwargs: object) -> Sequence[Tally]:
        began = time.perf_counter()
        tallies = await super().fire_due(*args, **kwargs)  # type: ignore[arg-type]
        ended = time.perf_counter()
        count = sum(len(each.lateness) for each in tallies if each.firing_class is SPIKE)
        if count:
            self.batches.append((time.time(), count, ended - began))
        return tallies


class NoRamadan:
    """Nobody knows of any, nor wants reminders spread further than usual."""

    async def ramadans(self) -> Sequence[Ramadan]:
        return ()

    async def spread(self) -> timedelta:
        return timedelta(0)


async def work(url: str, number: int) -> None:
    database = Database(DatabaseOptions(url=url))
    store = Watched(database)
    store.batches = []
    scheduler = Scheduler(
        store=store,
        operating=SqlOperatingStore(database, recorded),
        almanac=NoRamadan(),
        clock=SystemClock(),
        metrics=Metrics(),
        options=SchedulerOptions(),
        relaying=Pulse(),
        first_shard=number * 16,
    )
    await database.check()
    as_served()
    print("ready", flush=True)
    sys.stdin.readline()
    cpu = time.process_time()
    idle = 0
    while idle < 2:
        before = len(store.batches)
        await scheduler.step()
        idle = 0 if len(store.batches) > before else idle + 1
    cpu = time.process_time() - cpu
    await database.close()
    print(json.dumps({"batches": store.batches, "cpu": cpu}))


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1], int(sys.argv[2])))
