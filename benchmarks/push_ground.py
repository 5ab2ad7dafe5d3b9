"""What the benchmarks of pushes stand on: a database with devices, notices, and a strict check."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from benchmarks.machine import LOAD_CORE, SERVER_CORE
from benchmarks.sandboxed import address
from kernel.adapters.database import Database, Row
from kernel.clock import SystemClock
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import Notice, Urgency
from kernel.workers import Pulse
from messaging.adapters.sql_mutes import SqlMutes
from messaging.adapters.sql_reading import SqlReading
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.push_settling import ATTEMPTS
from notifications.adapters.sql_devices import SqlDevices
from notifications.adapters.sql_preferences import SqlPreferences
from notifications.adapters.sql_pushes import SqlPushes
from notifications.adapters.sql_templates import SqlTemplates
from notifications.coalescing.options import CoalescingOptions
from notifications.intake import Intake
from notifications.preferences.voices import Voices
from notifications.pushes import Settlement
from notifications.templates.shelf import Shelf, TemplateOptions
from notifications.types import AddressKind, Environment, Platform, Registration
from reminders.adapters.sql_alarms import SqlAlarmStore
from tests.support.factories_notifications import agree
from tests.support.many_devices import devices_at
from tests.support.servers import PostgresServer, running

USERS = 1000
AWAY = 10
"""Users in one notice: the away members of a conversation."""


@contextmanager
def postgres_elsewhere() -> Iterator[PostgresServer]:
    """A durable PostgreSQL on the load's core."""
    os.sched_setaffinity(0, {LOAD_CORE})
    with running(PostgresServer(durable=True, settings={"shared_buffers": "256MB"})) as server:
        os.sched_setaffinity(0, {SERVER_CORE})
        yield server


async def tables_of(database: Database) -> None:
    """All of them, as they are declared."""
    async with database.transaction() as connection:
        await connection.run_sync(Row.metadata.create_all)


def intake_of(
    database: Database, *, store: SqlPushes, devices: SqlDevices, metrics: Metrics, pulse: Pulse
) -> Intake:
    """What turns notices into pushes."""
    clock = SystemClock()
    shelf = Shelf(store=SqlTemplates(database), clock=clock, options=TemplateOptions())
    said = SqlPreferences(database)
    return Intake(
        devices=devices,
        pushes=store,
        shelf=shelf,
        unread=SqlReading(database, clock=clock),
        alarms=SqlAlarmStore(database, clock),
        coalescing=CoalescingOptions(),
        voices=Voices(preferences=said, ramadans=said, mutes=SqlMutes(database)),
        clock=clock,
        metrics=metrics,
        pulse=pulse,
    )


class CountingStore(SqlPushes):
    """Tells when so many pushes are settled, without asking the database."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.settled = 0
        self._changed = asyncio.Event()

    async def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> frozenset[UUID]:
        ids = await super().settle(settlements, now=now)
        self.settled += len(ids)
        self._changed.set()
        return ids

    async def all_of(self, total: int) -> None:
        while self.settled < total:
            self._changed.clear()
            await self._changed.wait()


def notice(number: int, urgency: Urgency) -> Notice:
    """A message in a conversation, for those who are away."""
    first = number * AWAY
    return Notice(
        user_ids=tuple(UserId(f"user-{(first + each) % USERS}") for each in range(AWAY)),
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


async def registered(database: Database, kind: AddressKind) -> None:
    """A device for each user, all of whom agreed to everything."""
    users = [UserId(f"user-{number}") for number in range(USERS)]
    await agree(database, users, now=SystemClock().now())
    like = Registration(
        installation_id="installation",
        address_kind=kind,
        address="",
        environment=Environment.PRODUCTION,
        platform=Platform.IOS if kind is AddressKind.APNS else Platform.ANDROID,
        locale="fr-DZ",
        time_zone="Africa/Algiers",
        app_version="1.0",
    )
    told = [(user_id, kind, address(kind, number)) for number, user_id in enumerate(users)]
    await devices_at(database, told, like=like, clock=SystemClock())


async def checked(database: Database, total: int) -> None:
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
