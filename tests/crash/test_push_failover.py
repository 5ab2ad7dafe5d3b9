"""PostgreSQL fails over and Valkey is lost in the middle of a campaign and of a send.

A standby that has all of its primary's commits is promoted, and nodes find it by the same URL.
The sandbox is the judge: it recorded every push that it accepted.
"""

import asyncio
import os
import random
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from kernel.adapters.database import Database
from kernel.errors import Unavailable
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from notifications.adapters.push_rows import PUSHES
from notifications.pushes import FINAL
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Device
from server import migrations
from tests.crash.conftest import Rounds
from tests.support.copies import problems_of
from tests.support.factories_notifications import agree, registration
from tests.support.killing import HurriedClock, at_work
from tests.support.many_devices import devices_at
from tests.support.rooms import Rooms
from tests.support.sandbox import running_sandbox
from tests.support.servers import HOST, PostgresServer, ValkeyServer, running
from tests.support.standby import StandbyServer
from tests.support.working import Job, settings_of

pytestmark = [pytest.mark.crash, pytest.mark.external, pytest.mark.timeout(4000)]

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
DEVICES, RESTARTS = (20_000, 6) if SOAK else (800, 0)
LISTED = DEVICES // 4
"""Of the devices' users so many get a send as well, which must not be lost."""

WITHIN = 600.0
"""Seconds in which a round must come to its end."""

OPERATOR = Principal(key_id=uuid4(), scopes=frozenset(Scope))


async def test_nothing_is_lost_or_told_twice_while_servers_fail_over(
    tmp_path: Path, valkey_server: ValkeyServer, rounds: Rounds
):
    for dice in rounds:
        with ExitStack() as stack:
            primary = stack.enter_context(running(PostgresServer(durable=True)))
            primary.psql("CREATE DATABASE zaffa")
            await migrations.upgrade(primary.url_of("zaffa"))
            standby = stack.enter_context(running(StandbyServer(primary)))
            standby.attach()
            problems = await survived(dice, tmp_path, primary, standby, valkey_server)
            assert not problems, problems


async def survived(
    dice: random.Random,
    folder: Path,
    primary: PostgresServer,
    standby: StandbyServer,
    valkey: ValkeyServer,
) -> list[str]:
    """Let a campaign and a send go out while everything around them fails; what was wrong."""
    clock = HurriedClock()
    either = "&".join(f"host={HOST}:{each.port}" for each in (primary, standby))
    url = f"postgresql://postgres@/zaffa?{either}&target_session_attrs=primary"
    limits = {"kept": 4 * DEVICES, "device_per_minute": 10**9, "latency_ms": 20}
    async with running_sandbox(folder, clock=clock, **limits) as sandbox:
        settings = settings_of(sandbox, database_url=url, redis_url=valkey.url, lease_seconds=60.0)
        job = Job(settings, clock)
        async with job.rooms().open() as rooms:
            devices = await agreeing(rooms.ground.database, clock)
            campaign, send = await begun(rooms, [each.user_id for each in devices[:LISTED]])
            with at_work(job.nodes(2)):
                await fail_over(dice, sandbox, primary, standby, valkey)
                states = await ended(rooms, campaign, send)
            arrived = sandbox.arrivals.after(limit=4 * DEVICES)
            database = rooms.ground.database
            problems = await problems_of(
                database, PUSHES.c.campaign_id == campaign, devices, arrived
            )
            problems += await problems_of(
                database, PUSHES.c.send_id == send, devices[:LISTED], arrived
            )
    if sum(states.values()) != DEVICES:
        problems.append(f"the campaign's totals do not add up to {DEVICES}: {states}")
    return problems


async def agreeing(database: Database, clock: HurriedClock) -> list[Device]:
    """Devices of users who want campaigns, of both providers in turn."""
    named = [
        (UserId(f"user-{number}"), AddressKind.APNS, f"{number:064x}")
        if number % 2
        else (UserId(f"user-{number}"), AddressKind.FCM_TOKEN, f"phone-{number:06}")
        for number in range(DEVICES)
    ]
    await agree(database, [user for user, _, _ in named], now=clock.now())
    return await devices_at(database, named, like=registration(), clock=clock)


async def begun(rooms: Rooms, listed: list[UserId]) -> tuple[UUID, UUID]:
    """A campaign to everybody and a send to some, both under way."""
    campaign = await rooms.campaign(OPERATOR)
    await rooms.ask("lists.replace", OPERATOR, list_id="guests", user_ids=listed)
    send = await rooms.ask(
        "pushes.send",
        OPERATOR,
        list_id="guests",
        idempotency_key=uuid4().hex,
        category="booking",
        variables={"title": "Salle", "body": "réservée"},
    )
    return campaign, UUID(str(send.id))


async def fail_over(
    dice: random.Random,
    sandbox: Sandbox,
    primary: PostgresServer,
    standby: StandbyServer,
    valkey: ValkeyServer,
) -> None:
    """Lose Valkey and everything in it, start PostgreSQL again, then let the standby take over."""
    total = DEVICES + LISTED
    lost, back, *restarts, taken = sorted(dice.sample(range(1, total * 3 // 4), 3 + RESTARTS))
    await reached(sandbox, lost)
    await asyncio.to_thread(valkey.kill)
    await reached(sandbox, back)
    await asyncio.to_thread(valkey.start)
    for moment in restarts:
        await reached(sandbox, moment)
        await asyncio.to_thread(dice.choice((primary.kill, primary.stop)))
        await asyncio.to_thread(primary.start)
    await reached(sandbox, taken)
    await asyncio.to_thread(primary.kill)
    await asyncio.sleep(dice.uniform(0.0, 1.0))
    await asyncio.to_thread(standby.promote)


async def reached(sandbox: Sandbox, total: int) -> None:
    async with asyncio.timeout(WITHIN):
        while sandbox.arrivals.total < total:
            await sandbox.arrivals.changed(within=1.0)


async def ended(rooms: Rooms, campaign: UUID, send: UUID) -> dict[str, int]:
    """Wait until both have come to their end; the campaign's pushes by state."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                body = await rooms.ask("campaigns.get", OPERATOR, campaign_id=str(campaign))
                over = (await rooms.ask("sends.get", OPERATOR, send_id=str(send))).over
            except Unavailable:
                await asyncio.sleep(0.2)
                continue
            under_way = [count for state, count in body.counts.items() if state not in FINAL]
            if over and body.planned and not any(under_way):
                return dict(body.counts)
            await asyncio.sleep(0.2)
