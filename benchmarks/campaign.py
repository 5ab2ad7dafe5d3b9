"""Chat while a campaign runs at full rate and its provider fails one push in twenty.

A campaign of many pushes waits in PostgreSQL; relay and dispatcher have a core, the sandbox and
PostgreSQL the other. Every 50 ms a chat message for one user is stored as a notice in the outbox.
What counts is from there until FCM has accepted the push. One device in twenty answers 429 or 503
whatever it is sent. The campaign runs by itself first, for as long: what it does beside chat is
held against that, against what its provider may be fed, and against its share of a core.
Afterwards a million further pushes wait, and the process says what it holds.

    python -m benchmarks.campaign [--seconds 20] [--pushes 100000] [--waiting 1000000] [--width 50]
"""

import argparse
import asyncio
import statistics
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
import uvloop

from benchmarks.machine import as_served, report, table
from benchmarks.push_ground import CountingStore, intake_of, postgres_elsewhere, tables_of
from benchmarks.sandboxed import Places, sandbox_elsewhere
from kernel.adapters.database import Database, DatabaseOptions
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.clock import SystemClock
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import NOTICE, Notice, Urgency, entry_of
from kernel.relay import Relay, RelayOptions
from kernel.workers import Pulse, Stop
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.push_settling import ATTEMPTS
from notifications.adapters.sql_devices import SqlDevices
from notifications.dispatcher import Dispatcher, DispatcherOptions
from notifications.feedback import Feedback
from notifications.planning import notification_id
from notifications.pushes import PushState
from notifications.throttle import RESERVE, ThrottleOptions
from notifications.types import AddressKind, Route, Verdict
from tests.support.factories_notifications import agree, planned, registration
from tests.support.many_devices import devices_at

DEVICES = 5000
EVERY = 0.05
"""Seconds between two chat messages."""
FAILING = ("sandbox-device-quota-exceeded", "sandbox-unavailable")


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds from a stored message to its accepted push, and what the campaign did meanwhile."""

    chats: int
    p50: float
    p95: float
    p99: float
    alone: "Pace"
    beside: "Pace"
    granted_per_second: float
    """What complaints and the reserve leave to campaigns."""
    refused: float
    """The share of the campaign's attempts that its provider did not accept."""
    rss_mb: float
    waiting: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the campaign went, and what part of a core the process had for it."""

    per_second: float
    per_cpu_second: float
    core: float


class Watch:
    """Tells the pace since it was made."""

    def __init__(self, store: CountingStore) -> None:
        self._store = store
        self._settled, self._began = store.settled, time.perf_counter()
        self._cpu = time.process_time()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def pace(self) -> Pace:
        wall, cpu = self.seconds, time.process_time() - self._cpu
        done = self._store.settled - self._settled
        return Pace(round(done / wall, 1), round(done / cpu, 1), round(cpu / wall, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="without chat, and with it")
    parser.add_argument("--pushes", type=int, default=150_000)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    width = DispatcherOptions().marketing_width
    parser.add_argument("--width", type=int, default=width, help="of the campaign's lane")
    given = parser.parse_args()
    with sandbox_elsewhere() as places, postgres_elsewhere() as server:
        server.psql("CREATE DATABASE campaign")
        measured = uvloop.run(_measure(server.url_of("campaign"), places, given))
    heading = ["chat p50", "p95", "p99", "campaign/s", "alone", "granted", "refused"]
    heading += ["per CPU second", "of a core", "RSS", "waiting"]
    row = [
        f"{measured.p50 * 1000:.0f} ms",
        f"{measured.p95 * 1000:.0f} ms",
        f"{measured.p99 * 1000:.0f} ms",
        f"{measured.beside.per_second:,.0f}",
        f"{measured.alone.per_second:,.0f}",
        f"{measured.granted_per_second:,.0f}",
        f"{measured.refused:.1%}",
        f"{measured.beside.per_cpu_second:,.0f}",
        f"{measured.beside.core:.0%}",
        f"{measured.rss_mb:.0f} MB",
        f"{measured.waiting:,}",
    ]
    print(table(heading, [row]))
    report("campaign", asdict(measured))


async def _measure(url: str, places: Places, given: argparse.Namespace) -> Measured:
    seconds, pushes, more = given.seconds, given.pushes, given.waiting
    clock, metrics, planned_pulse = SystemClock(), Metrics(), Pulse()
    database = Database(DatabaseOptions(url=url))
    await tables_of(database)
    devices, store = SqlDevices(database), CountingStore(database)
    users = [UserId(f"user-{number}") for number in range(DEVICES)]
    await agree(database, users, now=clock.now())
    told = [(user, AddressKind.FCM_TOKEN, _address(n)) for n, user in enumerate(users)]
    reached = await devices_at(database, told, like=registration(), clock=clock)
    later = clock.now() + timedelta(hours=20)
    for start in range(0, pushes, 1000):
        plans = [
            planned(
                reached[number % DEVICES],
                urgency=Urgency.MARKETING,
                now=clock.now(),
                expires_at=later,
            )
            for number in range(start, start + 1000)
        ]
        await store.plan([each for each, _ in plans], [push for _, push in plans])
    chat, sale = places.fcm_provider(), places.fcm_provider()
    await chat.open()
    await sale.open()
    outbox = SqlOutbox(database, clock)
    intake = intake_of(database, store=store, devices=devices, metrics=metrics, pulse=planned_pulse)
    relaying = Pulse()
    relay = Relay(
        outbox=outbox,
        handlers={NOTICE: intake.handle},
        clock=clock,
        metrics=metrics,
        options=RelayOptions(),
        pulse=relaying,
    )
    dispatcher = Dispatcher(
        store=store,
        providers={Urgency.INTERACTIVE: [chat], Urgency.MARKETING: [sale]},
        feedback=Feedback(devices=devices, clock=clock, metrics=metrics),
        clock=clock,
        metrics=metrics,
        options=DispatcherOptions(marketing_width=given.width),
        throttle=ThrottleOptions(ramp_seconds=0),
        pulse=planned_pulse,
    )
    as_served()
    stop = Stop()
    working = [asyncio.create_task(each.run(stop)) for each in (relay, dispatcher)]
    await asyncio.sleep(2.0)
    watch = Watch(store)
    await asyncio.sleep(seconds)
    alone, watch = watch.pace(), Watch(store)
    sent: dict[UUID, datetime] = {}
    number = 0
    while watch.seconds < seconds:
        user = users[(number * 20 + 1) % DEVICES]
        key = f"salam-{number}"
        sent[notification_id(key, user)] = clock.now()
        await outbox.add([entry_of(_message(key, user))])
        relaying.beat()
        number += 1
        await asyncio.sleep(EVERY)
    beside = watch.pace()
    granted = dispatcher.gate(Route.FCM).rate * (1 - RESERVE)
    took = await _accepted(database, sent)
    refused = await _refused(database)
    await _wait_more(database, more)
    await asyncio.sleep(5.0)
    rss = _resident_mb()
    stop.ask()
    await asyncio.gather(*working)
    for each in (chat, sale):
        await each.close()
    await database.close()
    cuts = statistics.quantiles(took, n=100)
    return Measured(
        chats=len(took),
        p50=round(cuts[49], 3),
        p95=round(cuts[94], 3),
        p99=round(cuts[98], 3),
        alone=alone,
        beside=beside,
        granted_per_second=round(granted, 1),
        refused=round(refused, 4),
        rss_mb=round(rss, 1),
        waiting=more,
    )


def _address(number: int) -> str:
    if number % 20:
        return f"phone-{number:08}".ljust(150, "x")
    return f"{FAILING[number // 20 % 2]}-{number}"


def _message(key: str, user: UserId) -> Notice:
    return Notice(
        user_ids=(user,),
        template="announcement",
        category="chat",
        urgency=Urgency.INTERACTIVE,
        dedupe_key=key,
        expires_at=SystemClock().now() + timedelta(hours=1),
        variables={"title": "سارة بن علي", "body": "On se retrouve à 14h ? إن شاء الله"},
    )


async def _accepted(database: Database, sent: dict[UUID, datetime]) -> list[float]:
    """Seconds until each message's push was settled as accepted, once all of them are."""
    wanted = sa.select(PUSHES.c.notification_id, PUSHES.c.settled_at).where(
        PUSHES.c.urgency == Urgency.INTERACTIVE, PUSHES.c.state == PushState.ACCEPTED
    )
    async with asyncio.timeout(60):
        while True:
            async with database.reading() as connection:
                rows = list(await connection.execute(wanted))
            if len(rows) >= len(sent):
                return [
                    (row.settled_at - sent[row.notification_id]).total_seconds() for row in rows
                ]
            await asyncio.sleep(0.2)


async def _refused(database: Database) -> float:
    """The share of the campaign's attempts that were not accepted."""
    verdicts = (
        sa.select(ATTEMPTS.c.verdict)
        .join(PUSHES, PUSHES.c.id == ATTEMPTS.c.push_id)
        .where(PUSHES.c.urgency == Urgency.MARKETING)
    )
    async with database.reading() as connection:
        counted = Counter((await connection.execute(verdicts)).scalars())
    return 1 - counted[Verdict.ACCEPTED] / counted.total()


async def _wait_more(database: Database, number: int) -> None:
    """Copies of a push that waits, each under a name of its own, many at a time."""
    columns = ", ".join(column.name for column in PUSHES.columns if column.name != "id")
    copying = sa.text(
        f"INSERT INTO pushes (id, {columns}) SELECT gen_random_uuid(), {columns} FROM "
        "(SELECT * FROM pushes WHERE state = 'queued' AND urgency = 'marketing' LIMIT 1) AS one, "
        "generate_series(1, :number)"
    )
    for _ in range(0, number, 50_000):
        async with database.transaction() as connection:
            await connection.execute(copying, {"number": min(50_000, number)})


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
