"""Dispatchers are killed at random moments: what users wait for arrives, a campaign never twice.

The sandbox is the judge: it has recorded every push it accepted.
"""

import asyncio
import os
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.clock import SystemClock
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import Urgency
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.push_settling import ATTEMPTS
from notifications.dispatcher import DispatcherOptions
from notifications.policy import DOUBTFUL_WAIT, PATIENCE
from notifications.pushes import FINAL, PushState
from notifications.sandbox.faults import Fault
from notifications.sandbox.record import Arrival
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Verdict
from tests.crash.conftest import Rounds
from tests.support.dispatching import Post, dispatchers
from tests.support.factories_notifications import Room, agree, planned, registration
from tests.support.killing import HurriedClock, at_work
from tests.support.many_devices import devices_at
from tests.support.sandbox import apns_options, fcm_options, running_sandbox

pytestmark = [pytest.mark.crash, pytest.mark.timeout(4000)]

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
DELIVERIES, KILLS = (20_000, 20) if SOAK else (400, 3)
WIDTH = 25
"""Of a campaign's lane: so many of its pushes on each route may be in doubt after a kill."""

GONE = 12
"""Addresses on each route that are no longer valid."""

WITHIN = 600.0
"""Seconds in which a round must come to its end."""

LAST_WAIT = timedelta(seconds=DOUBTFUL_WAIT[1])


async def test_killed_dispatchers_lose_nothing_and_repeat_no_campaign(
    database: Database, database_url: str, tmp_path: Path, rounds: Rounds
):
    clock = HurriedClock()
    room = Room(database, clock, Metrics())  # type: ignore[arg-type]
    limits = {"kept": 4 * DELIVERIES, "device_per_minute": 10**9, "latency_ms": 20}
    async with running_sandbox(tmp_path, clock=SystemClock(), **limits) as sandbox:
        misbehave(sandbox)
        post = Post(
            database=database_url,
            fcm=fcm_options(sandbox),
            apns=apns_options(sandbox),
            clock=clock,
            options=DispatcherOptions(
                lease_seconds=30.0,
                interactive_width=2 * WIDTH,
                transactional_width=2 * WIDTH,
                marketing_width=WIDTH,
            ),
        )
        for dice in rounds:
            deliveries, killed = await planned_round(room, dice), 0
            before = sandbox.arrivals.total
            with at_work(dispatchers(1 if database.is_sqlite else 2, post)) as working:
                for moment in sorted(dice.sample(range(DELIVERIES * 3 // 4), KILLS)):
                    await reached(sandbox, before + moment)
                    victim = dice.choice(working)
                    victim.kill()
                    killed += 1
                    # What a kill leaves in doubt is what was in the air, and no more.
                    assert await in_the_air(room) <= (killed + len(working)) * 2 * WIDTH
                    victim.spawn()
                await settled(room)
            arrived = sandbox.arrivals.after(before, limit=4 * DELIVERIES)
            problems = await judged(room, deliveries, arrived)
            assert not problems, problems


def misbehave(sandbox: Sandbox) -> None:
    # Nobody is cut off: that would take a connection's other pushes with it.
    sandbox.faults.add(Fault("fcm", "UNREGISTERED", prefix="gone"))
    sandbox.faults.add(Fault("apns", "Unregistered", prefix="dead"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One push of a round."""

    id: UUID
    address: str
    urgency: Urgency


async def planned_round(room: Room, dice: random.Random) -> list[Delivery]:
    """A push of some class to each of many devices, on both routes."""
    shapes: list[Delivery] = []
    told = [
        (UserId(f"user-{number}"), kind, address)
        for number, (kind, address) in enumerate(addresses(dice))
    ]
    # Or nobody would be sent a campaign.
    await agree(room.database, [user for user, _, _ in told], now=room.clock.now())
    devices = await devices_at(
        room.database, told, like=registration(dice.getrandbits(32)), clock=room.clock
    )
    notifications, pushes = [], []
    now = room.clock.now()
    for number, device in enumerate(devices):
        urgency = list(Urgency)[number % 3]
        lifetime = timedelta(days=2)
        notification, push = planned(device, urgency=urgency, now=now, expires_at=now + lifetime)
        push = replace(push, collapse_key=f"c{number}")
        notifications.append(notification)
        pushes.append(push)
        shapes.append(Delivery(push.id, device.address, urgency))
    for start in range(0, len(pushes), 1000):
        some = slice(start, start + 1000)
        await room.pushes.plan(notifications[some], pushes[some])
    return shapes


def addresses(dice: random.Random) -> list[tuple[AddressKind, str]]:
    """Half of FCM's and half of APNs', some of them gone."""
    run, half = f"{dice.getrandbits(64):016x}", DELIVERIES // 2
    google = ["gone"] * GONE + ["phone"] * (half - GONE)
    apple = ["dead"] * GONE + ["0000"] * (half - GONE)
    made = [
        (AddressKind.FCM_TOKEN, f"{kind}-{run}-{number:08}".ljust(140, "x"))
        for number, kind in enumerate(google)
    ] + [
        (AddressKind.APNS, f"{kind}{run}{number:08x}".ljust(64, "0"))
        for number, kind in enumerate(apple)
    ]
    dice.shuffle(made)
    return made


async def reached(sandbox: Sandbox, total: int) -> None:
    async with asyncio.timeout(WITHIN):
        while sandbox.arrivals.total < total:
            await sandbox.arrivals.changed(within=1.0)


async def in_the_air(room: Room) -> int:
    """Pushes of campaigns that are being sent, or were when their dispatcher died."""
    counting = sa.select(sa.func.count()).where(
        PUSHES.c.state == PushState.SENDING, PUSHES.c.urgency == Urgency.MARKETING
    )
    async with room.database.reading() as connection:
        return int((await connection.execute(counting)).scalar_one())


async def settled(room: Room) -> None:
    async with asyncio.timeout(WITHIN):
        while set(await room.states()) - FINAL:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def judged(
    room: Room, deliveries: Sequence[Delivery], arrived: Sequence[Arrival]
) -> list[str]:
    """What the databases and the sandbox say that must not be."""
    ids = [each.id for each in deliveries]
    rows, doubts, tried, tried_for = await recorded(room, ids)
    problems = [f"{len(ids)} pushes, {len(rows)} rows"] * (len(rows) != len(ids))
    copies = Counter(UUID(each.push_id) for each in arrived)
    collapsing: dict[UUID, set[str]] = defaultdict(set)
    for each in arrived:
        collapsing[UUID(each.push_id)].add(collapse_key_of(each))
    for each in deliveries:
        row, number = rows[each.id], copies[each.id]
        told = f"{each.urgency} push to {each.address[:8]}: {row.state}, {number} copies"
        if row.state not in ENDS_OF_ALL or (row.state == PushState.ACCEPTED and not number):
            problems.append(told)
        if number > 1 + doubts[each.id]:
            problems.append(f"{told}, {doubts[each.id]} doubtful attempts")
        if tried[each.id] != row.attempts:
            problems.append(f"{told}, {row.attempts} attempts, {tried[each.id]} outcomes")
        if number and len(collapsing[each.id]) != 1:
            problems.append(f"{told}, collapse keys {collapsing[each.id]}")
        gone = each.address.startswith(("gone", "dead"))
        if each.urgency is Urgency.MARKETING:
            if number > 1:
                problems.append(f"{told}: a campaign came twice")
        elif gone or tried_for[each.id] > PATIENCE[each.urgency].within - LAST_WAIT:
            continue  # On a machine so slow its class ran out of patience, as it may.
        elif not number or row.state not in ENDS:
            problems.append(f"{told}: lost")
    doubtful = [each for each in deliveries if rows[each.id].state == PushState.AMBIGUOUS]
    print(
        f"{len(deliveries)} pushes, {len(arrived)} copies, {len(doubtful)} in doubt, "
        f"{sum(doubts.values())} doubtful attempts",
        flush=True,
    )
    return problems


ENDS_OF_ALL = FINAL - {PushState.SUPPRESSED}
"""What a push may end as here: everybody wants all of them."""

ENDS = frozenset({PushState.ACCEPTED, PushState.AMBIGUOUS})
"""What a push ends as that arrived: its answer may have been lost twice."""


async def recorded(
    room: Room, ids: Sequence[UUID]
) -> tuple[dict[UUID, Any], Counter[UUID], Counter[UUID], dict[UUID, timedelta]]:
    """The rows of pushes, how many outcomes and doubtful ones each has, and over what time."""
    wanted = set(ids)
    doubts: Counter[UUID] = Counter()
    tried: Counter[UUID] = Counter()
    async with room.database.reading() as connection:
        columns = (PUSHES.c.id, PUSHES.c.state, PUSHES.c.attempts, PUSHES.c.first_tried_at)
        found = await connection.execute(sa.select(*columns))
        rows = {row.id: row for row in found if row.id in wanted}
        outcomes = (ATTEMPTS.c.push_id, ATTEMPTS.c.verdict, ATTEMPTS.c.settled_at)
        tried_for: dict[UUID, timedelta] = defaultdict(timedelta)
        for attempt in await connection.execute(sa.select(*outcomes)):
            if (row := rows.get(attempt.push_id)) is not None:
                tried[row.id] += 1
                doubts[row.id] += attempt.verdict == Verdict.AMBIGUOUS
                lasted = attempt.settled_at - row.first_tried_at
                tried_for[row.id] = max(tried_for[row.id], lasted)
    return rows, doubts, tried, tried_for


def collapse_key_of(arrival: Arrival) -> str:
    if arrival.provider == "apns":
        return arrival.headers["apns-collapse-id"]
    message = msgspec.json.decode(arrival.payload)
    return str(message.get("message", message)["android"]["collapse_key"])
