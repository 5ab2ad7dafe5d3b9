"""Nodes are killed while a list and a campaign are expanded, and while a webhook is told.

The sandbox recorded what devices got, and the receiver what it was told.
"""

import asyncio
import os
from collections import defaultdict
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from notifications.adapters.push_rows import PUSHES
from notifications.pushes import FINAL
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Device
from tests.crash.conftest import Rounds, briefly_on
from tests.support.copies import problems_of
from tests.support.factories_notifications import agree, registration
from tests.support.killing import HurriedClock, Killable, at_work
from tests.support.many_devices import devices_at
from tests.support.receivers import Receiver, receiving
from tests.support.rooms import Rooms
from tests.support.sandbox import running_sandbox
from tests.support.working import Job, settings_of

pytestmark = [pytest.mark.crash, pytest.mark.timeout(4000)]

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
LISTED, KILLS = (12_000, 20) if SOAK else (1100, 3)
"""Users on the list: several portions of it."""

WITHIN = 600.0
"""Seconds in which a round must come to its end."""

SERVER = Principal(key_id=uuid4(), scopes=frozenset(Scope))


@briefly_on("sqlite")
async def test_each_device_of_a_list_gets_a_send_once_and_each_outcome_is_told_by_one_name(
    database: Database, database_url: str, tmp_path: Path, rounds: Rounds
):
    # The long form has more under way than a hurried lease leaves time for.
    clock = HurriedClock(pace=10.0 if SOAK else 20.0)
    limits = {"kept": 6 * LISTED, "device_per_minute": 10**9, "latency_ms": 20}
    async with (
        running_sandbox(tmp_path, clock=clock, **limits) as sandbox,
        receiving() as receiver,
    ):
        settings = settings_of(
            sandbox,
            database_url=database_url,
            webhooks_to=receiver.origin,
            lease_seconds=60.0,
        )
        job = Job(settings, clock)
        devices = await listed(database, clock)
        async with job.rooms().open() as rooms:
            users = [device.user_id for device in devices]
            for start in range(0, LISTED, 10_000):
                some = users[start : start + 10_000]
                change = "lists.append" if start else "lists.replace"
                await rooms.ask(change, SERVER, list_id="guests", user_ids=some)
            await rooms.ask("webhooks.create", SERVER, url=receiver.url, kinds=["push.outcomes"])
            with at_work(job.nodes(1 if database.is_sqlite else 2)) as nodes:
                for dice in rounds:
                    before, told_before = sandbox.arrivals.total, len(receiver.told)
                    campaign = await rooms.campaign(SERVER)
                    send = await sent(rooms, dice.getrandbits(64))
                    for moment in sorted(dice.sample(range(LISTED // 2), KILLS)):
                        await reached(sandbox, before + moment)
                        again(dice.choice(nodes))
                    # Some are in the middle of telling: what they told was not answered yet.
                    receiver.awake.clear()
                    await receiver.has_heard(len(receiver.told) + 1)
                    for node in nodes:
                        again(node)
                    receiver.awake.set()
                    await over(rooms, send, campaign)
                    arrived = sandbox.arrivals.after(before, limit=6 * LISTED)
                    problems: list[str] = []
                    for which in (PUSHES.c.send_id == send, PUSHES.c.campaign_id == campaign):
                        problems += await problems_of(database, which, devices, arrived)
                    problems += await told(receiver, told_before, database, send)
                    assert not problems, problems


async def listed(database: Database, clock: HurriedClock) -> list[Device]:
    """A device for each user, of both providers in turn."""
    named = [
        (UserId(f"user-{number}"), AddressKind.APNS, f"{number:064x}")
        if number % 2
        else (UserId(f"user-{number}"), AddressKind.FCM_TOKEN, f"phone-{number:06}")
        for number in range(LISTED)
    ]
    await agree(database, [user for user, _, _ in named], now=clock.now())
    return await devices_at(database, named, like=registration(), clock=clock)


async def sent(rooms: Rooms, key: int) -> UUID:
    """The send's id; asked for twice, as by a server that did not hear the first answer."""
    asked = {
        "list_id": "guests",
        "idempotency_key": f"{key:x}",
        "category": "booking",
        "variables": {"title": "Salle", "body": "Vendredi, 20 h"},
    }
    first, second = [await rooms.ask("pushes.send", SERVER, **asked) for _ in range(2)]
    assert first.id == second.id
    return UUID(str(first.id))


async def reached(sandbox: Sandbox, total: int) -> None:
    async with asyncio.timeout(WITHIN):
        while sandbox.arrivals.total < total:
            await sandbox.arrivals.changed(within=1.0)


def again(node: Killable) -> None:
    node.kill()
    node.spawn()


async def over(rooms: Rooms, send: UUID, campaign: UUID) -> None:
    """Wait until both have come to their end."""
    async with asyncio.timeout(WITHIN):
        while True:
            sent = await rooms.ask("sends.get", SERVER, send_id=str(send))
            told = await rooms.ask("campaigns.get", SERVER, campaign_id=str(campaign))
            waiting = [count for state, count in told.counts.items() if state not in FINAL]
            if sent.over and told.planned and not any(waiting):
                return
            await asyncio.sleep(0.2)


async def told(receiver: Receiver, before: int, database: Database, send: UUID) -> list[str]:
    """Wait for every outcome to be told; what the receiver heard that must not be."""
    states = sa.select(PUSHES.c.id, PUSHES.c.state).where(PUSHES.c.send_id == send)
    async with database.reading() as connection:
        wanted = {str(row.id): row.state for row in await connection.execute(states)}
    async with asyncio.timeout(WITHIN):
        while True:
            names: dict[str, set[str]] = defaultdict(set)
            bodies: dict[str, set[bytes]] = defaultdict(set)
            heard: dict[str, str] = {}
            for headers, body in receiver.told[before:]:
                bodies[headers["webhook-id"]].add(body)
                for event in msgspec.json.decode(body)["events"]:
                    if event["send_id"] == str(send):
                        names[event["push_id"]].add(headers["webhook-id"])
                        heard[event["push_id"]] = event["state"]
            if heard.keys() >= wanted.keys():
                break
            await receiver.has_heard(len(receiver.told) + 1)
    print(f"{len(receiver.told) - before} tries of {len(bodies)} deliveries", flush=True)
    problems: list[str] = []
    if heard != wanted:
        problems.append("an outcome was told that was none")
    if any(len(each) != 1 for each in names.values()):
        problems.append("an outcome was told under two names")
    if any(len(each) != 1 for each in bodies.values()):
        problems.append("a delivery did not say the same at every try")
    return problems
