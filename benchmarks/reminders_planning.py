"""Planning: the pure function, and making an event's plan again after it was moved."""

import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import uvloop

from benchmarks.machine import LOAD_CORE, SERVER_CORE
from benchmarks.push_ground import tables_of
from benchmarks.reminders_worker import NoRamadan
from kernel.adapters.database import Database, DatabaseOptions
from kernel.clock import SystemClock
from kernel.ids import UserId, new_id
from kernel.metrics import Metrics
from kernel.workers import Pulse
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.person import Person
from reminders.planner import Planner, PlannerOptions
from reminders.rules import plan
from reminders.types import (
    Event,
    FromEvent,
    Inputs,
    Member,
    Offset,
    Priority,
    Role,
    Task,
    TaskDetails,
)
from tests.support.metrics import value_of
from tests.support.servers import PostgresServer, running

EVENTS = 120
TASKS = 90
PEOPLE = 3


@dataclass(frozen=True, slots=True)
class Planned:
    """One planner on one core, the database on the other."""

    firings_planned_per_second: float
    events_reconciled_per_second: float
    firings_written_per_event: float
    cpu_ms_per_event: float
    """The planner's; the database's is not in it."""


def planning() -> Sequence[Planned]:
    return [_planning()]


def _planning() -> Planned:
    pure = _pure()
    os.sched_setaffinity(0, {LOAD_CORE})
    with running(PostgresServer(durable=True, settings={"shared_buffers": "256MB"})) as server:
        os.sched_setaffinity(0, {SERVER_CORE})
        try:
            server.psql("CREATE DATABASE planning")
            return uvloop.run(_reconciled(server.url_of("planning"), pure))
        finally:
            os.sched_setaffinity(0, {SERVER_CORE, LOAD_CORE})


def _pure() -> float:
    now = SystemClock().now()
    event, members, tasks, people = wedding(0, now)
    inputs = Inputs(event, members, tasks, [], {each.user_id: each for each in people})
    until = now + timedelta(days=400)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < 3:
        count += len(plan(inputs, until=until, since=now))
    return round(count / (time.perf_counter() - began), 1)


async def _reconciled(url: str, pure: float) -> Planned:
    database = Database(DatabaseOptions(url=url))
    await tables_of(database)
    calendar, clock = SqlCalendarStore(database), SystemClock()
    now = clock.now()
    metrics = Metrics()
    planner = Planner(
        store=SqlFiringStore(database),
        almanac=NoRamadan(),
        clock=clock,
        metrics=metrics,
        options=PlannerOptions(),
        pulse=Pulse(),
    )
    events: list[Event] = []
    for number in range(EVENTS):
        event, members, tasks, people = wedding(number, now)
        await calendar.create(event, None)
        for person in people:
            await calendar.change_person(person.user_id, lambda _, new=person: new, now=now)
        await calendar.change(event.id, lambda _, new=(*members, *tasks): new, now=now)
        events.append(event)
    await _planned(planner)
    assert events[0].day is not None
    moved_to = events[0].day + timedelta(days=9)
    for event in events:
        moved = replace(event, day=moved_to, sched_version=2)
        await calendar.change(event.id, lambda _, moved=moved: [moved], now=now)
    before = _written(metrics)
    began, cpu = time.perf_counter(), time.process_time()
    await _planned(planner)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    written = _written(metrics) - before
    await database.close()
    return Planned(
        firings_planned_per_second=pure,
        events_reconciled_per_second=round(EVENTS / took, 1),
        firings_written_per_event=round(written / EVENTS, 1),
        cpu_ms_per_event=round(cpu / EVENTS * 1000, 2),
    )


async def _planned(planner: Planner) -> None:
    """Everything that is marked, as a node does it."""
    while await planner.step():
        pass


def _written(metrics: Metrics) -> float:
    return sum(
        value_of(metrics, "reminders_planned_firings_total", change=change)
        for change in ("added", "moved", "removed")
    )


def wedding(number: int, now: datetime) -> tuple[Event, list[Member], list[Task], list[Person]]:
    """In four months, with a task every four days for one of three people in turn."""
    event = Event(
        id=new_id(now),
        title="Mariage Amina & Karim",
        zone="Africa/Algiers",
        day=_day(now) + timedelta(days=120),
        at=None,
        created_by=None,
        created_at=now,
        planned_from=now - timedelta(days=300),
    )
    users = [UserId(f"user-{number}-{each}") for each in range(PEOPLE)]
    members = [Member(event.id, user_id, Role.OWNER, event.planned_from) for user_id in users]
    tasks = [
        Task(
            id=uuid.uuid4(),
            event_id=event.id,
            title="Confirmer le traiteur",
            due=FromEvent(Offset(days=-4 * each)),
            assignee_id=users[each % PEOPLE],
            created_by=None,
            created_at=now,
            planned_from=event.planned_from,
            details=TaskDetails(priority=Priority.NORMAL, usual=True),
        )
        for each in range(TASKS)
    ]
    return event, members, tasks, [Person(each, "Africa/Algiers", "fr-DZ") for each in users]


def _day(now: datetime) -> date:
    return now.date()
