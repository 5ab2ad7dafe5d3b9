"""Schedulers that are not ours, over the same kind of PostgreSQL: jobs that are due, done.

A job does nothing but count, so what is measured is the scheduler: finding it, taking it,
recording that it is done. Each is at its most favourable: procrastinate with many workers.
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

from tests.support.servers import PostgresServer, running

JOBS = 400
WORKERS = 20

_counted = 0
_all = threading.Event()


@dataclass(frozen=True, slots=True)
class Peer:
    """How many jobs that were due were done in a second."""

    name: str
    jobs: int
    per_second: float


def peers() -> Sequence[Peer]:
    """One after the other."""
    with running(PostgresServer(durable=True, settings={"shared_buffers": "256MB"})) as server:
        for name in ("apscheduler", "procrastinate"):
            server.psql(f"CREATE DATABASE {name}")
        return [
            Peer("APScheduler 3", JOBS, _apscheduler(server.url_of("apscheduler"))),
            Peer(
                "procrastinate", JOBS, asyncio.run(_procrastinate(server.url_of("procrastinate")))
            ),
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
