"""The whole way of a push: a notice in the outbox, relay, intake, dispatcher, sandbox, settled.

Databases flush at every commit. Each run checks that every push was settled as accepted, with
one attempt.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

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
from benchmarks.sandboxed import Places
from kernel.adapters.database import Database, DatabaseOptions
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.notices import NOTICE, Urgency, entry_of
from kernel.relay import Relay, RelayOptions
from kernel.workers import Pulse, Stop
from notifications.adapters.sql_devices import SqlDevices
from notifications.dispatcher import Dispatcher, DispatcherOptions
from notifications.feedback import Feedback
from notifications.ports import PushProvider
from notifications.throttle import ThrottleOptions
from notifications.types import AddressKind

_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. The processor time is that of the process which sends, without the database
    server's; SQLite's is in it.
    """

    database: str
    provider: str
    urgency: str
    pushes: int
    per_second: float
    per_cpu_second: float
    cpu_us_per_push: float


def pipelines(places: Places, pushes: int) -> list[Measured]:
    """Every database with every provider, and one campaign's class for comparison."""
    results: list[Measured] = []
    with TemporaryDirectory() as folder, postgres_elsewhere() as server:
        for name in ("PostgreSQL", "SQLite"):
            for kind, urgency in (
                (AddressKind.FCM_TOKEN, Urgency.INTERACTIVE),
                (AddressKind.APNS, Urgency.INTERACTIVE),
                (AddressKind.APNS, Urgency.MARKETING),
            ):
                run = f"push_{len(results)}"
                if name == "PostgreSQL":
                    server.psql(f"CREATE DATABASE {run}")
                    url = server.url_of(run)
                else:
                    url = f"sqlite:///{Path(folder) / run}.sqlite3"
                provider = (
                    places.apns_provider() if kind is AddressKind.APNS else places.fcm_provider()
                )
                results.append(uvloop.run(_measure(name, url, provider, kind, urgency, pushes)))
    return results


async def _measure(
    name: str, url: str, provider: PushProvider, kind: AddressKind, urgency: Urgency, pushes: int
) -> Measured:
    clock, metrics, planned = SystemClock(), Metrics(), Pulse()
    database = Database(DatabaseOptions(url=url))
    await tables_of(database)
    outbox = SqlOutbox(database, clock)
    devices, store = SqlDevices(database), CountingStore(database)
    await registered(database, kind)
    await provider.open()
    intake = intake_of(database, store=store, devices=devices, metrics=metrics, pulse=planned)
    relay = Relay(
        outbox=outbox,
        handlers={NOTICE: intake.handle},
        clock=clock,
        metrics=metrics,
        options=RelayOptions(),
        pulse=Pulse(),
    )
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
    # Handshakes, statements to prepare and each device's first push are not what is measured.
    await outbox.add([entry_of(notice(each, urgency)) for each in range(USERS // AWAY)])
    while await relay.step():
        pass
    while await dispatcher.step():
        pass

    first = USERS // AWAY
    await outbox.add(
        [entry_of(notice(each, urgency)) for each in range(first, first + pushes // AWAY)]
    )
    total = USERS + pushes // AWAY * AWAY
    stop = Stop()
    began, cpu = time.perf_counter(), time.process_time()
    working = [asyncio.create_task(each.run(stop)) for each in (relay, dispatcher)]
    async with asyncio.timeout(_PATIENCE):
        await asyncio.wait(
            [*working, asyncio.create_task(store.all_of(total))],
            return_when=asyncio.FIRST_COMPLETED,
        )
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    stop.ask()
    await asyncio.gather(*working)
    await checked(database, total)
    await provider.close()
    await database.close()
    sent = total - USERS
    return Measured(
        database=name,
        provider=provider.name,
        urgency=urgency,
        pushes=sent,
        per_second=round(sent / wall, 1),
        per_cpu_second=round(sent / cpu, 1),
        cpu_us_per_push=round(cpu / sent * 1e6, 1),
    )
