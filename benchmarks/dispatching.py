"""Dispatching: pushes that wait in a database are claimed, sent over TLS and settled.

One dispatcher has a core; the sandbox and PostgreSQL share the other. Databases flush at every
commit, and afterwards every push must be settled as accepted by its first attempt. Intake is the
way before: notices to notifications and pushes, stored. Peers send to the same sandbox in the
same run, and do nothing else.

    python -m benchmarks.dispatching [--pushes 10000] [--seconds 5] [--no-peers]
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from benchmarks.machine import as_served, cpu_of, report, table
from benchmarks.push_ground import (
    AWAY,
    USERS,
    CountingStore,
    checked,
    intake_of,
    notice,
    postgres_elsewhere,
    registered,
    tables_of,
)
from benchmarks.push_peers import Figures, peers
from benchmarks.sandboxed import Places, sandbox_elsewhere
from kernel.adapters.database import Database, DatabaseOptions
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.notices import Urgency, entry_of
from kernel.outbox import Claimed
from kernel.workers import Pulse, Stop
from notifications.adapters.sql_devices import SqlDevices
from notifications.dispatcher import Dispatcher, DispatcherOptions
from notifications.feedback import Feedback
from notifications.throttle import ThrottleOptions
from notifications.types import AddressKind

NOTICES = 50
"""Notices that the relay hands over at once."""
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way cost: the processor time of the measured process, in which SQLite's is, and
    beside it that of PostgreSQL and of the sandbox.
    """

    what: str
    database: str
    pushes: int
    per_second: float
    per_cpu_second: float
    cpu_us: float
    database_us: float
    sandbox_us: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured time per peer")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--only", default="", help="part of a row's name")
    given = parser.parse_args()
    with sandbox_elsewhere() as places:
        ours = dispatched(places, given.pushes, given.only)
        theirs = [] if given.no_peers else peers(places, given.seconds)
    _print(ours, theirs)
    report(
        "dispatching",
        {"ours": [asdict(each) for each in ours], "peers": [asdict(each) for each in theirs]},
    )


def _print(ours: Sequence[Measured], theirs: Sequence[Figures]) -> None:
    rows = [
        [
            each.what,
            each.database,
            f"{each.per_second:,.0f}",
            f"{each.per_cpu_second:,.0f}",
            f"{each.cpu_us:.0f}",
            f"{each.database_us:.0f}",
            f"{each.sandbox_us:.0f}",
        ]
        for each in ours
    ] + [
        [
            each.name,
            "",
            f"{each.per_second:,.0f}",
            f"{each.per_cpu_second:,.0f}",
            f"{each.cpu_us:.0f}",
            "",
            f"{each.sandbox_us:.0f}",
        ]
        for each in theirs
    ]
    heading = [
        "what",
        "database",
        "pushes/s",
        "per CPU second",
        "CPU µs each",
        "PostgreSQL",
        "sandbox",
    ]
    print(table(heading, rows))


def dispatched(places: Places, pushes: int, only: str = "") -> list[Measured]:
    """Every database with every way."""
    results: list[Measured] = []
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        server = stack.enter_context(postgres_elsewhere())
        for database in ("PostgreSQL", "SQLite"):
            for kind in (AddressKind.FCM_TOKEN, AddressKind.APNS):
                for urgency in (Urgency.INTERACTIVE, Urgency.MARKETING):
                    name = f"{kind.split('_')[0]} {urgency} {database}"
                    if only not in name:
                        continue
                    run = f"dispatching_{len(results)}"
                    if database == "PostgreSQL":
                        server.psql(f"CREATE DATABASE {run}")
                        url = server.url_of(run)
                    else:
                        url = f"sqlite:///{Path(folder) / run}.sqlite3"
                    pids = (server.pid, places.pid)
                    results += uvloop.run(
                        _measure(database, url, places, kind, urgency, pushes, pids)
                    )
    return results


async def _measure(
    name: str,
    url: str,
    places: Places,
    kind: AddressKind,
    urgency: Urgency,
    pushes: int,
    neighbours: tuple[int, int],
) -> list[Measured]:
    clock, metrics, planned = SystemClock(), Metrics(), Pulse()
    database = Database(DatabaseOptions(url=url))
    await tables_of(database)
    devices, store = SqlDevices(database), CountingStore(database)
    await registered(database, kind)
    provider = places.apns_provider() if kind is AddressKind.APNS else places.fcm_provider()
    await provider.open()
    intake = intake_of(database, store=store, devices=devices, metrics=metrics, pulse=planned)
    dispatcher = Dispatcher(
        store=store,
        providers={urgency: [provider]},
        feedback=Feedback(devices=devices, clock=clock, metrics=metrics),
        clock=clock,
        metrics=metrics,
        options=DispatcherOptions(),
        throttle=ThrottleOptions(fcm_per_second=1e6, apns_per_second=1e6, ramp_seconds=0),
        pulse=planned,
    )
    first = USERS // AWAY
    # Handshakes, statements to prepare and each device's first push are not what is measured.
    await intake.handle(_entries(range(first), urgency))
    while await dispatcher.step():
        pass
    as_served()
    spent = Spent(neighbours)
    for start in range(first, first + pushes // AWAY, NOTICES):
        await intake.handle(_entries(range(start, start + NOTICES), urgency))
    taken_in = spent.measured(f"intake, {urgency}", name, pushes)
    total, stop = USERS + pushes, Stop()
    spent = Spent(neighbours)
    working = asyncio.create_task(dispatcher.run(stop))
    async with asyncio.timeout(PATIENCE):
        arrived = asyncio.create_task(store.all_of(total))
        await asyncio.wait([working, arrived], return_when=asyncio.FIRST_COMPLETED)
    sent = spent.measured(f"{provider.name}, {urgency}", name, pushes)
    stop.ask()
    await working
    await checked(database, total)
    await provider.close()
    await database.close()
    return [sent] if kind is AddressKind.APNS else [taken_in, sent]


def _entries(numbers: range, urgency: Urgency) -> list[Claimed]:
    now = SystemClock().now()
    return [
        Claimed(
            id=number,
            kind="notice",
            payload=entry_of(notice(number, urgency)).payload,
            attempts=1,
            created_at=now,
            fence=1,
        )
        for number in numbers
    ]


class Spent:
    """Time from now on: by the clock, of this process, and of its neighbours."""

    def __init__(self, neighbours: tuple[int, int]) -> None:
        self._neighbours = neighbours
        self._theirs = [cpu_of(pid) for pid in neighbours]
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def measured(self, what: str, database: str, pushes: int) -> Measured:
        """What so many pushes took."""
        wall, cpu = time.perf_counter() - self._began, time.process_time() - self._cpu
        pairs = zip(self._neighbours, self._theirs, strict=True)
        theirs = [round((cpu_of(pid) - before) / pushes * 1e6, 1) for pid, before in pairs]
        return Measured(
            what=what,
            database=database,
            pushes=pushes,
            per_second=round(pushes / wall, 1),
            per_cpu_second=round(pushes / cpu, 1),
            cpu_us=round(cpu / pushes * 1e6, 1),
            database_us=theirs[0],
            sandbox_us=theirs[1],
        )


if __name__ == "__main__":
    main()
