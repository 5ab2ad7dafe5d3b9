"""Schedulers that are not ours, and ours, over the same kind of PostgreSQL: what is due, done.

A peer's job does nothing but count, so what is measured is the scheduler: finding it, taking it,
recording that it is done. Each is at its most favourable: procrastinate with many workers.
Ours are two, as in the spike, and judge each firing and write what is to be sent.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import procrastinate
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.reminders_spike import spike
from tests.support.servers import PostgresServer, running

FIRINGS = 50_000
JOBS = 400
WORKERS = 20

_counted = 0
_all = threading.Event()


@dataclass(frozen=True, slots=True)
class Peer:
    """How much that was due was done in a second, and how many times as much ours did."""

    name: str
    due: int
    per_second: float
    zaffa_times: float


def peers() -> Sequence[Peer]:
    """One after the other."""
    ours = spike(FIRINGS, FIRINGS).per_second
    rates = [("Zaffa", FIRINGS, ours), *((name, JOBS, rate) for name, rate in _theirs())]
    return [Peer(name, due, rate, round(ours / rate, 1)) for name, due, rate in rates]


def _theirs() -> Sequence[tuple[str, float]]:
    with running(PostgresServer(durable=True, settings={"shared_buffers": "256MB"})) as server:
        for name in ("apscheduler", "procrastinate"):
            server.psql(f"CREATE DATABASE {name}")
        return [
            ("APScheduler 3", _apscheduler(server.url_of("apscheduler"))),
            ("procrastinate", asyncio.run(_procrastinate(server.url_of("procrastinate")))),
        ]


def count() -> None:
    """A job."""
    global _counted
    _counted += 1
    if _counted == JOBS:
        _all.set()


def _apscheduler(url: str) -> float:
    store = SQLAlchemyJobStore(url=url.replace("postgresql://", "postgresql+psycopg://", 1))
    scheduler = BackgroundScheduler(
        jobstores={"default": store},
        executors={"default": ThreadPoolExecutor(WORKERS)},
        job_defaults={"misfire_grace_time": 3600},
        timezone=UTC,
    )
    scheduler.start(paused=True)
    at = datetime.now(UTC) + timedelta(milliseconds=1)
    for _ in range(JOBS):
        scheduler.add_job(count, "date", run_date=at)
    began = time.perf_counter()
    scheduler.resume()
    if not _all.wait(150):
        raise SystemExit("APScheduler did not come to an end")
    took = time.perf_counter() - began
    scheduler.shutdown()
    return round(JOBS / took, 1)


async def _procrastinate(url: str) -> float:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    done = 0
    ended = asyncio.Event()

    @app.task(name="count")
    async def counted() -> None:
        nonlocal done
        done += 1
        if done == JOBS:
            ended.set()

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        due = counted.configure(schedule_at=datetime.now(UTC) - timedelta(minutes=1))
        for _ in range(JOBS):
            await due.defer_async()
        began = time.perf_counter()
        worker = asyncio.create_task(
            app.run_worker_async(concurrency=WORKERS, install_signal_handlers=False)
        )
        async with asyncio.timeout(150):
            await ended.wait()
        took = time.perf_counter() - began
        worker.cancel()
        await asyncio.wait([worker])
    return round(JOBS / took, 1)
