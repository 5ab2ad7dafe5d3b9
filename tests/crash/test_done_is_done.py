"""Nodes are killed while people act on reminders: done is done, and an action happens once."""

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.adapters.outbox_claims import OUTBOX, WAITING
from kernel.identity import Principal
from kernel.ids import UserId
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.push_settling import ATTEMPTS
from notifications.pushes import FINAL
from notifications.sandbox.faults import Fault
from notifications.sandbox.record import Arrival
from reminders.adapters.action_rows import ACTIONS
from reminders.adapters.mapping import FIRINGS, LOG, TASKS, task_of
from server.roles import ServerRole
from tests.crash.conftest import Rounds
from tests.support.killing import HurriedClock, Killable, at_work
from tests.support.rooms import Rooms
from tests.support.sandbox import running_sandbox
from tests.support.working import ROLES, Job, settings_of

pytestmark = [pytest.mark.crash, pytest.mark.timeout(4000)]

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
TASKS_AT_ONCE, KILLS = (120, 10) if SOAK else (14, 2)
AHEAD = timedelta(seconds=40)
"""So long before it a reminder is asked for; ten times as fast on our clock."""

WITHIN = 300.0
"""Seconds in which a round must come to its end."""

AMINA = UserId("amina")
NOBODY = Principal(user_id=UserId(""))


@dataclass(frozen=True, slots=True)
class Taps:
    """Buttons that a phone goes on tapping until it has an answer."""

    job: Job
    taps: Sequence[Mapping[str, Any]]


async def test_whoever_is_killed_done_is_done_and_an_action_happens_once(
    database: Database, database_url: str, tmp_path: Path, rounds: Rounds
):
    clock = HurriedClock()
    limits = {"kept": 100_000, "device_per_minute": 10**9, "latency_ms": 20}
    async with running_sandbox(tmp_path, clock=clock, **limits) as sandbox:
        roles = ROLES | {ServerRole.SCHEDULER}
        job = Job(settings_of(sandbox, database_url=database_url), clock, roles)
        async with job.rooms().open() as rooms:
            await rooms.phone(AMINA, 1)
            with at_work(job.nodes(1 if database.is_sqlite else 2)) as nodes:
                for dice in rounds:
                    before = sandbox.arrivals.total
                    tasks = await planned(rooms, clock)
                    # What is on its way waits for its provider, until half of it is done.
                    sandbox.faults.add(Fault("fcm", "UNAVAILABLE"))
                    done = await finishing(rooms, clock, tasks, nodes, dice)
                    sandbox.faults.clear()
                    await settled(database)
                    arrived = sandbox.arrivals.after(before, limit=100_000)
                    assert not await told_after(database, done)
                    assert {told_of(each) for each in arrived} >= set(tasks) - set(done)
                    taps = [tap(each) for each in once(arrived) if told_of(each) not in done]
                    await tapping(rooms, Taps(job, taps), dice)
                    assert not await applied_twice(database, taps)


async def planned(rooms: Rooms, clock: HurriedClock) -> dict[UUID, UUID]:
    """Tasks of which Amina is reminded soon, one after the other, with their events."""
    tasks: dict[UUID, UUID] = {}
    for number in range(TASKS_AT_ONCE):
        # Reminders of one event at about the same time would be told in one.
        event = await rooms.ask("events.create", AMINA, title="زفاف", zone="Africa/Algiers")
        task = await rooms.ask(
            "tasks.create", AMINA, event_id=event.id, title=f"Tâche {number}", due=None
        )
        tasks[task.id] = event.id
        await rooms.ask(
            "tasks.snooze",
            AMINA,
            event_id=event.id,
            task_id=task.id,
            action_id=uuid4(),
            until=clock.now() + AHEAD,
        )
    return tasks


async def finishing(
    rooms: Rooms,
    clock: HurriedClock,
    tasks: Mapping[UUID, UUID],
    nodes: Sequence[Killable],
    dice: random.Random,
) -> dict[UUID, datetime]:
    """Complete half of the tasks, each when its reminder has come so far on its way, while nodes
    are killed; when each was said to be done."""
    chosen = sorted(dice.sample(range(TASKS_AT_ONCE), TASKS_AT_ONCE // 2))
    kills = set(dice.sample(chosen, KILLS))
    done: dict[UUID, datetime] = {}
    for number, (task_id, event_id) in enumerate(tasks.items()):
        if number not in chosen:
            continue
        await _on_its_way(rooms, task_id, dice.choice(["", "gone off", "planned", "planned"]))
        await rooms.ask("tasks.complete", AMINA, event_id=event_id, task_id=task_id)
        done[task_id] = clock.now()
        if number in kills:
            victim = dice.choice(nodes)
            victim.kill()
            victim.spawn()
    return done


async def _on_its_way(rooms: Rooms, task_id: UUID, stage: str) -> None:
    """Wait until the reminder of a task has gone off, or its push waits; or for nothing."""
    looks = {
        "gone off": sa.select(LOG.c.task_id).where(LOG.c.task_id == task_id),
        "planned": sa.select(PUSHES.c.id).where(PUSHES.c.content.contains(str(task_id))),
    }
    if stage not in looks:
        return
    async with asyncio.timeout(WITHIN):
        while True:
            async with rooms.ground.database.reading() as connection:
                if (await connection.execute(looks[stage])).first() is not None:
                    return
            await asyncio.sleep(0.02)


async def settled(database: Database) -> None:
    """Wait until every reminder has gone off, and nothing is under way any more."""
    left = [
        sa.select(sa.func.count()).select_from(FIRINGS),
        sa.select(sa.func.count()).select_from(OUTBOX).where(WAITING),
        sa.select(sa.func.count()).where(PUSHES.c.state.not_in(FINAL)),
    ]
    async with asyncio.timeout(WITHIN):
        while True:
            async with database.reading() as connection:
                if not any([(await connection.execute(each)).scalar_one() for each in left]):
                    return
            await asyncio.sleep(0.2)


async def told_after(database: Database, done: Mapping[UUID, datetime]) -> list[str]:
    """The pushes about tasks that somebody began to send after the task was said to be done."""
    tried = sa.select(PUSHES.c.content, PUSHES.c.state, ATTEMPTS.c.started_at).join(
        ATTEMPTS, ATTEMPTS.c.push_id == PUSHES.c.id
    )
    async with database.reading() as connection:
        rows = list(await connection.execute(tried))
    wrong = []
    for row in rows:
        data = msgspec.json.decode(row.content)["data"]
        at = done.get(UUID(data["task_id"])) if "task_id" in data else None
        if at is not None and row.started_at > at:
            wrong.append(f"{row.state}: begun {row.started_at - at} after it was done")
    return wrong


def told_of(arrival: Arrival) -> UUID | None:
    """The task that a push reminds of; nothing for one that takes another back."""
    data = msgspec.json.decode(arrival.payload)["message"]["data"]
    return UUID(data["task_id"]) if "task_id" in data else None


def once(arrived: Sequence[Arrival]) -> Sequence[Arrival]:
    """One arrival of each reminder: an attempt in doubt may have been repeated."""
    return list({told_of(each): each for each in arrived if told_of(each)}.values())


def tap(arrival: Arrival) -> dict[str, Any]:
    """Tapping "in an hour" on what arrived."""
    data = msgspec.json.decode(arrival.payload)["message"]["data"]
    return {
        "firing": data["firing"],
        "token": data["action_token"],
        "action": "snooze_1_hour",
        "action_id": uuid4(),
    }


async def tapping(rooms: Rooms, taps: Taps, dice: random.Random) -> None:
    """Tap all buttons here, and again in processes that are killed while they do."""
    fingers = [Killable(_tap, taps) for _ in range(2)]
    with at_work(fingers) as working:
        some = list(taps.taps)
        dice.shuffle(some)
        moments = set(dice.sample(range(len(some)), min(KILLS, len(some))))
        for number, each in enumerate(some):
            first = await act(rooms, each)
            assert await act(rooms, each) == first
            if number in moments:
                victim = dice.choice(working)
                victim.kill()
                victim.spawn()


async def act(rooms: Rooms, tapped: Mapping[str, Any]) -> Any:
    await rooms.chat.users.standing.look()
    return await rooms.ask("firings.act", NOBODY, **tapped)


async def applied_twice(database: Database, taps: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was not applied once: each task was snoozed before, so this is the second time."""
    async with database.reading() as connection:
        acted = list(await connection.execute(sa.select(ACTIONS)))
        tasks = {row.id: task_of(row) for row in await connection.execute(sa.select(TASKS))}
    wanted = {each["action_id"] for each in taps}
    found = [row for row in acted if row.action_id in wanted]
    wrong = [f"{len(found)} actions of {len(wanted)}"] * (len(found) != len(wanted))
    for row in found:
        (snooze,) = tasks[row.task_id].details.snoozes
        if (snooze.number, snooze.at) != (2, row.until):
            wrong.append(f"snoozed {snooze.number} times, until {snooze.at} and not {row.until}")
    return wrong


def _tap(taps: Taps, pipe: Connection) -> None:
    asyncio.run(_tap_all(taps, pipe))


async def _tap_all(taps: Taps, _pipe: Connection) -> None:
    async with taps.job.rooms().open() as rooms:
        for each in taps.taps:
            await act(rooms, each)
