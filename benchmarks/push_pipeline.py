"""The whole way of a push: a notice in the outbox, relay, intake, dispatcher, sandbox, settled.

Databases flush at every commit. Each run checks that every push was settled as accepted, with
one attempt.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import sqlalchemy as sa
import uvloop

from benchmarks.machine import LOAD_CORE, SERVER_CORE
from benchmarks.sandboxed import Places, address
from kernel.adapters.database import Database, DatabaseOptions, Row
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.clock import SystemClock
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import NOTICE, Notice, Urgency, entry_of
from kernel.relay import Relay, RelayOptions
from kernel.workers import Pulse, Stop
from messaging.adapters.sql_mutes import SqlMutes
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.sql_devices import SqlDevices
from notifications.adapters.sql_preferences import SqlPreferences
from notifications.adapters.sql_pushes import ATTEMPTS, SqlPushes
from notifications.adapters.sql_templates import SqlTemplates
from notifications.dispatcher import Dispatcher, DispatcherOptions
from notifications.feedback import Feedback
from notifications.intake import Intake
from notifications.ports import PushProvider
from notifications.preferences.voices import Voices
from notifications.pushes import Settlement
from notifications.templates.shelf import Shelf, TemplateOptions
from notifications.throttle import ThrottleOptions
from notifications.types import AddressKind, Environment, Platform, Registration
from tests.support.factories_notifications import agree
from tests.support.servers import PostgresServer, running

_USERS = 1000
_AWAY = 10
"""Users in one notice: the away members of a conversation."""
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
    with TemporaryDirectory() as folder, _postgres() as server:
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


@contextmanager
def _postgres() -> Iterator[PostgresServer]:
    """A durable PostgreSQL on the load's core."""
    os.sched_setaffinity(0, {LOAD_CORE})
    with running(PostgresServer(durable=True, settings={"shared_buffers": "256MB"})) as server:
        os.sched_setaffinity(0, {SERVER_CORE})
        yield server


class _CountingStore(SqlPushes):
    """Tells when so many pushes are settled, without asking the database."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._settled = 0
        self._changed = asyncio.Event()

    async def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> frozenset[UUID]:
        ids = await super().settle(settlements, now=now)
        self._settled += len(ids)
        self._changed.set()
        return ids

    async def all_of(self, total: int) -> None:
        while self._settled < total:
            self._changed.clear()
            await self._changed.wait()


async def _measure(
    name: str, url: str, provider: PushProvider, kind: AddressKind, urgency: Urgency, pushes: int
) -> Measured:
    clock, metrics, planned = SystemClock(), Metrics(), Pulse()
    database = Database(DatabaseOptions(url=url))
    async with database.transaction() as connection:
        await connection.run_sync(Row.metadata.create_all)
    outbox = SqlOutbox(database, clock)
    devices, store = SqlDevices(database), _CountingStore(database)
    await _register(devices, kind)
    users = [UserId(f"user-{number}") for number in range(_USERS)]
    await agree(database, users, now=clock.now())
    await provider.open()
    shelf = Shelf(store=SqlTemplates(database), clock=clock, options=TemplateOptions())
    said = SqlPreferences(database)
    intake = Intake(
        devices=devices,
        pushes=store,
        shelf=shelf,
        voices=Voices(preferences=said, ramadans=said, mutes=SqlMutes(database)),
        clock=clock,
        metrics=metrics,
        pulse=planned,
    )
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
        throttle=ThrottleOptions(fcm_per_second=1e6, apns_per_second=1e6),
        pulse=planned,
    )
    # Handshakes, statements to prepare and each device's first push are not what is measured.
    await outbox.add([entry_of(_notice(each, urgency)) for each in range(_USERS // _AWAY)])
    while await relay.step():
        pass
    while await dispatcher.step():
        pass

    first = _USERS // _AWAY
    await outbox.add(
        [entry_of(_notice(each, urgency)) for each in range(first, first + pushes // _AWAY)]
    )
    total = _USERS + pushes // _AWAY * _AWAY
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
    await _check(database, total)
    await provider.close()
    await database.close()
    sent = total - _USERS
    return Measured(
        database=name,
        provider=provider.name,
        urgency=urgency,
        pushes=sent,
        per_second=round(sent / wall, 1),
        per_cpu_second=round(sent / cpu, 1),
        cpu_us_per_push=round(cpu / sent * 1e6, 1),
    )


def _notice(number: int, urgency: Urgency) -> Notice:
    """A message in a conversation, for those who are away."""
    first = number * _AWAY
    return Notice(
        user_ids=tuple(UserId(f"user-{(first + each) % _USERS}") for each in range(_AWAY)),
        template="chat.message+conversation",
        category="chat",
        urgency=urgency,
        dedupe_key=f"message-{number}",
        expires_at=SystemClock().now() + timedelta(hours=1),
        variables={
            "sender": "سارة بن علي",
            "conversation": "Mariage Amina & Karim",
            "text": "On se retrouve à la salle à 14h, n'oublie pas les fleurs ! إن شاء الله",
        },
        collapse_key=f"conversation-{number % 100}",
        thread=f"conversation-{number % 100}",
        link=f"app://conversations/{number % 100}",
        data={"conversation_id": f"conversation-{number % 100}", "offset": str(number)},
    )


async def _register(devices: SqlDevices, kind: AddressKind) -> None:
    for number in range(_USERS):
        await devices.register(
            UserId(f"user-{number}"),
            Registration(
                installation_id=f"installation-{number}",
                address_kind=kind,
                address=address(kind, number),
                environment=Environment.PRODUCTION,
                platform=Platform.IOS if kind is AddressKind.APNS else Platform.ANDROID,
                locale=("fr-DZ", "ar-DZ", "en")[number % 3],
                time_zone="Africa/Algiers",
                app_version="1.0",
            ),
            now=SystemClock().now(),
            limit=25,
        )


async def _check(database: Database, total: int) -> None:
    """Every push accepted, by its first attempt. Raises SystemExit."""
    async with database.reading() as connection:
        states = (
            await connection.execute(
                sa.select(PUSHES.c.state, sa.func.count()).group_by(PUSHES.c.state)
            )
        ).all()
        attempts = (
            await connection.execute(sa.select(sa.func.count()).select_from(ATTEMPTS))
        ).scalar_one()
    if [tuple(row) for row in states] != [("accepted", total)] or attempts != total:
        raise SystemExit(f"{total} pushes ended as {states} after {attempts} attempts")
