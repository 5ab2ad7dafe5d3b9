"""Firings that all come due at once, and what else is asked of the database meanwhile."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import uvloop

from benchmarks.reminders_ground import exact_ones, filled, lateness_of_exact, open_tasks
from kernel.adapters.database import Database, DatabaseOptions
from kernel.clock import SystemClock
from kernel.identity import Principal, Scope
from kernel.workers import Pulse
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.scheduler import SchedulerOptions
from reminders.tasks import Tasks
from tests.support.servers import PostgresServer, running

SCHEDULERS = 2

COMPLETED = 10_000
"""Tasks that there are to be completed: more than any spike lasts for."""

Batch = tuple[float, int, float]
"""When it was done, how many firings it was, and how long it took."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A spike, from its first to its last firing."""

    due: int
    waiting: int
    per_second: float
    per_second_by_fifth: Sequence[float]
    last_fifth_to_first: float
    claim_p50_ms: float
    """Of full batches."""
    claim_p99_ms: float
    cpu_us: float
    """Of the schedulers, for each firing; the database's is not in it."""
    exact_lateness_p50: float
    exact_lateness_p99: float
    done_p50_ms: float
    done_p99_ms: float


def spike(due: int, waiting: int) -> HandedOver:
    """Two schedulers over one PostgreSQL."""
    # As much as a spike makes dirty: with less, PostgreSQL writes pages out while it claims.
    settings = {"shared_buffers": "2GB", "max_wal_size": "4GB", "checkpoint_timeout": "15min"}
    with running(PostgresServer(durable=True, settings=settings)) as server:
        server.psql("CREATE DATABASE spike")
        return uvloop.run(_spike(server.url_of("spike"), due, waiting))


async def _spike(url: str, due: int, waiting: int) -> HandedOver:
    database = Database(DatabaseOptions(url=url, statement_seconds=3600))
    await filled(database, due=due, waiting=waiting)
    tasks = await open_tasks(database, COMPLETED)
    schedulers = [
        subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
            [sys.executable, "-m", "benchmarks.reminders_worker", url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(SCHEDULERS)
    ]
    for each in schedulers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    await exact_ones(
        database, tasks=due, every=timedelta(milliseconds=10), over=timedelta(minutes=5)
    )
    began = time.time()
    for each in schedulers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    done: list[float] = []
    completing = asyncio.create_task(_complete(database, tasks, done))
    told = [await asyncio.to_thread(_last_line, each) for each in schedulers]
    completing.cancel()
    with suppress(asyncio.CancelledError):
        await completing
    batches = sorted((at, count, took) for one in told for at, count, took in one["batches"])
    exact = await lateness_of_exact(database)
    await database.close()
    total = sum(count for _, count, _ in batches)
    full = SchedulerOptions().batch
    claims = [took * 1000 for _, count, took in batches if count == full]
    fifths = rates_by_fifth(batches)
    return HandedOver(
        due=due,
        waiting=waiting,
        per_second=round(total / (batches[-1][0] - began), 1),
        per_second_by_fifth=fifths,
        last_fifth_to_first=round(fifths[-1] / fifths[0], 3),
        claim_p50_ms=quantile(claims, 50),
        claim_p99_ms=quantile(claims, 99),
        cpu_us=round(sum(one["cpu"] for one in told) / total * 1e6, 1),
        exact_lateness_p50=quantile(exact, 50),
        exact_lateness_p99=quantile(exact, 99),
        done_p50_ms=quantile(done, 50),
        done_p99_ms=quantile(done, 99),
    )


async def _complete(database: Database, tasks: Sequence[object], done: list[float]) -> None:
    """Users complete tasks, 50 in a second, whoever else is busy."""
    use_case = Tasks(store=SqlCalendarStore(database), clock=SystemClock(), planning=Pulse())
    server = Principal(key_id=UUID(int=1), scopes=frozenset({Scope.REMINDERS}))
    for task_id, event_id in tasks:  # type: ignore[misc]
        began = time.perf_counter()
        await use_case.complete(server, event_id, task_id)
        took = time.perf_counter() - began
        done.append(took * 1000)
        await asyncio.sleep(max(0.0, 0.02 - took))


def _last_line(process: "subprocess.Popen[str]") -> dict[str, list[Batch]]:
    out, _ = process.communicate(timeout=900)
    return json.loads(out)


def rates_by_fifth(batches: Sequence[Batch]) -> Sequence[float]:
    """Firings in a second while each fifth of all was handed over, the small batches with which
    the shards end among them. The first begins with the first claim."""
    at, count, took = batches[0]
    total, done, since = sum(each[1] for each in batches), 0, (at - took, 0)
    rates: list[float] = []
    for at, count, _ in batches:
        done += count
        if done * 5 >= total * (len(rates) + 1):
            rates.append(round((done - since[1]) / (at - since[0]), 1))
            since = at, done
    return rates


def quantile(values: Sequence[float], percent: int) -> float:
    return round(statistics.quantiles(values, n=100)[percent - 1], 2) if len(values) > 1 else 0.0
