"""Nodes are killed while people chat: every message counts once, and the last word is shown.

What devices show is judged by the sandbox, which recorded every push in the order of its arrival.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.adapters.outbox_claims import OUTBOX, WAITING
from kernel.ids import UserId
from notifications.adapters.push_rows import NOTIFICATIONS, PUSHES
from notifications.pushes import FINAL, PushState
from notifications.sandbox.record import Arrival
from tests.crash.conftest import Rounds, briefly_on
from tests.support.killing import HurriedClock, at_work
from tests.support.sandbox import running_sandbox
from tests.support.working import Job, settings_of

pytestmark = [pytest.mark.crash, pytest.mark.timeout(4000)]

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
MESSAGES, KILLS = (300, 12) if SOAK else (40, 3)
GUESTS, CONVERSATIONS = 4, 2
PAUSE = 0.15
"""Seconds between two messages, at most: several come while the earlier ones still wait."""

WITHIN = 300.0
"""Seconds in which a round must come to its end."""

HOST = UserId("host")


@briefly_on("postgresql")
async def test_whoever_is_killed_each_message_counts_once_and_the_last_word_is_shown(
    database: Database, database_url: str, tmp_path: Path, rounds: Rounds
):
    clock = HurriedClock()
    limits = {"kept": 100_000, "device_per_minute": 10**9, "latency_ms": 20}
    async with running_sandbox(tmp_path, clock=clock, **limits) as sandbox:
        job = Job(settings_of(sandbox, database_url=database_url), clock)
        async with job.rooms().open() as rooms:
            guests = [UserId(f"guest-{number}") for number in range(GUESTS)]
            for number, guest in enumerate(guests):
                await (rooms.iphone if number % 2 else rooms.phone)(guest, number)
            with at_work(job.nodes(1 if database.is_sqlite else 2)) as nodes:
                unread = 0
                for dice in rounds:
                    before = sandbox.arrivals.total
                    conversations = [await rooms.group(HOST, *guests) for _ in range(CONVERSATIONS)]
                    moments = set(dice.sample(range(MESSAGES), KILLS))
                    said: Counter[str] = Counter()
                    for number in range(MESSAGES):
                        conversation = dice.choice(conversations)
                        said[conversation] += 1
                        if number == MESSAGES - 1:
                            # Whoever told of the others has told of them by then.
                            await asyncio.sleep(1.0)
                        await rooms.say(HOST, conversation, f"word {said[conversation]}")
                        await asyncio.sleep(dice.uniform(0.0, PAUSE))
                        if number in moments:
                            victim = dice.choice(nodes)
                            victim.kill()
                            victim.spawn()
                    await settled(database)
                    arrived = sandbox.arrivals.after(before, limit=100_000)
                    unread += MESSAGES
                    problems = await judged(database, said, unread, arrived)
                    assert not problems, problems


async def settled(database: Database) -> None:
    """Wait until nothing is under way any more."""
    entries = sa.select(sa.func.count()).select_from(OUTBOX).where(WAITING)
    pushes = sa.select(sa.func.count()).where(PUSHES.c.state.not_in(FINAL))
    async with asyncio.timeout(WITHIN):
        while True:
            async with database.reading() as connection:
                left = [(await connection.execute(each)).scalar_one() for each in (entries, pushes)]
            if not any(left):
                return
            await asyncio.sleep(0.2)


async def judged(
    database: Database, said: Mapping[str, int], unread: int, arrived: list[Arrival]
) -> list[str]:
    """What the database and the sandbox say that must not be."""
    problems: list[str] = []
    columns = (
        PUSHES.c.device_id,
        PUSHES.c.state,
        PUSHES.c.content,
        NOTIFICATIONS.c.thread,
    )
    rows = sa.select(*columns).join(NOTIFICATIONS, NOTIFICATIONS.c.id == PUSHES.c.notification_id)
    planned: Counter[tuple[Any, str]] = Counter()
    counted: Counter[tuple[Any, str]] = Counter()
    async with database.reading() as connection:
        for row in await connection.execute(rows):
            if row.thread in said:
                device = (row.device_id, row.thread)
                planned[device] += 1
                if row.state != PushState.SUPPRESSED:
                    data = msgspec.json.decode(row.content)["data"]
                    counted[device] += int(data.get("count", "1"))
    wanted = {device: said[device[1]] for device in planned}
    problems += [f"{planned - Counter(wanted)} planned twice"] * (planned != wanted)
    problems += [f"{counted} counted of {wanted}"] * (counted != wanted)
    shown: dict[tuple[str, str], int] = {}
    badges: dict[str, int] = {}
    for each in arrived:
        thread, place, badge = told_by(each)
        shown[each.address, thread] = place
        badges[each.address] = badge
    late = {device: place for device, place in shown.items() if place != said[device[1]]}
    problems += [f"{late} shown last of {said}"] * bool(late)
    problems += [f"{len(shown)} shown at all"] * (len(shown) != GUESTS * len(said))
    problems += [f"badges {badges} of {unread}"] * (set(badges.values()) != {unread})
    print(
        f"{sum(said.values())} messages to {GUESTS} devices: {len(arrived)} copies, "
        f"{sum(counted.values())} counted",
        flush=True,
    )
    return problems


def told_by(arrival: Arrival) -> tuple[str, int, int]:
    """The thread that a push is about, the place in it, and the badge."""
    payload = msgspec.json.decode(arrival.payload)
    if arrival.provider == "apns":
        aps = payload["aps"]
        return aps["thread-id"], int(payload["offset"]), aps["badge"]
    message = payload["message"]
    notification = message["android"]["notification"]
    return (
        notification["tag"],
        int(message["data"]["offset"]),
        notification["notification_count"],
    )
