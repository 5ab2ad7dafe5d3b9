"""Whatever dies during a chat: nothing acknowledged is lost, everybody has everything once.

The replay's own verdict judges. What faults excuse, and it is little, stands at each test.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from server.demo.replay_stage import Manner
from server.demo.replay_verdict import Allowances, Verdict
from server.live_line import Patience
from tests.crash.conftest import Rounds
from tests.support.cluster import RunningCluster, RunningSandbox, ended
from tests.support.replaying import made_up, replay_on, told
from tests.support.running import RunningHouse
from tests.support.servers import PostgresServer, ValkeyServer, free_port

pytestmark = [pytest.mark.crash, pytest.mark.external, pytest.mark.timeout(4000)]

LINES = 150
IN_SECONDS = 10.0
MANNER = Manner(
    speed=LINES / IN_SECONDS, in_flight=12, stall=90.0, patience=Patience(answer=5.0, ping=3.0)
)
QUICK_LEASES = {
    "ZAFFA_DISPATCHER_LEASE_SECONDS": "30",
    "ZAFFA_RELAY_LEASE_SECONDS": "5",
    "ZAFFA_COALESCING_SECONDS": "0",
}
"""What a killed process held is taken over soon enough for a test to wait for it."""

Fault = Callable[[random.Random], Awaitable[None]]


@pytest.fixture
async def cluster(
    tmp_path: Path, crash_database_url: str, valkey_server: ValkeyServer
) -> AsyncIterator[RunningCluster]:
    async with RunningCluster.start(
        tmp_path,
        database_url=crash_database_url,
        redis_url=valkey_server.url,
        settings=QUICK_LEASES,
    ) as running:
        yield running


async def judged(
    gateways: list[RunningHouse],
    sandbox: RunningSandbox,
    dice: random.Random,
    fault: Fault,
    allowances: Allowances,
    *,
    times: int | None = None,
    quiet: float = MANNER.quiet,
) -> Verdict:
    """A replay with the fault once or twice, or so many times, somewhere in its middle."""
    lines = made_up(lines=LINES, speakers=8, silent=8, seed=dice.randrange(1_000_000))
    replay = replay_on(gateways, lines, sandbox=sandbox.url, manner=replace(MANNER, quiet=quiet))
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(replay.run(allowances))
        for moment in sorted(dice.sample(range(10, LINES - 30), times or dice.randint(1, 2))):
            await replay.reached(moment)
            await fault(dice)
    return playing.result()


async def respawned(node: RunningHouse, dice: random.Random) -> None:
    node.kill()
    await asyncio.sleep(dice.uniform(0.0, 2.0))
    node.spawn()
    await node.ready()


async def test_a_killed_gateway_costs_nobody_a_message(cluster: RunningCluster, rounds: Rounds):
    async def fault(dice: random.Random) -> None:
        await respawned(dice.choice(cluster.gateways), dice)

    for dice in rounds:
        # Members whose connection was cut are away until they are back.
        allowed = Allowances(present_pushes=True)
        verdict = await judged(list(cluster.gateways), cluster.sandbox, dice, fault, allowed)
        assert verdict.is_good, told(verdict, {"worker": cluster.worker.log})
        assert verdict.reconnected > 0


async def test_a_killed_relay_and_dispatcher_lose_no_push(cluster: RunningCluster, rounds: Rounds):
    async def fault(dice: random.Random) -> None:
        await respawned(cluster.worker, dice)

    for dice in rounds:
        # What was in the air when the dispatcher died is sent once more, each time: under
        # the same id, so that phones show it once.
        allowed = Allowances(copies=3)
        verdict = await judged(list(cluster.gateways), cluster.sandbox, dice, fault, allowed)
        assert verdict.is_good, told(verdict, {"worker": cluster.worker.log})
        assert verdict.reconnected == 0


async def test_what_was_in_the_air_is_sent_once_more_under_the_same_id(
    cluster: RunningCluster, rounds: Rounds
):
    # Pushes are accepted, but the answer takes so long that some wait for it at any time.
    await slowed(cluster.sandbox, seconds=0.5)

    async def fault(dice: random.Random) -> None:
        await respawned(cluster.worker, dice)

    for dice in rounds:
        # Lease, rest before a doubtful push is repeated, and some.
        verdict = await judged(
            list(cluster.gateways),
            cluster.sandbox,
            dice,
            fault,
            Allowances(copies=2),
            times=1,
            quiet=60.0,
        )
        assert verdict.is_good, told(verdict, {"worker": cluster.worker.log})
        assert 0 < verdict.repeated_pushes < verdict.pushes


async def slowed(sandbox: RunningSandbox, *, seconds: float) -> None:
    async with aiohttp.ClientSession() as session:
        for provider in ("fcm", "apns"):
            fault = {"provider": provider, "outcome": "SLOW", "delay": seconds}
            async with session.post(f"{sandbox.url}/faults", json=fault) as answer:
                assert answer.status == 201


@pytest.mark.parametrize("how", ["killed", "stopped", "paused", "flushed"])
async def test_a_lost_redis_costs_nobody_a_message(
    cluster: RunningCluster, valkey_server: ValkeyServer, rounds: Rounds, how: str
):
    async def fault(dice: random.Random) -> None:
        away = dice.uniform(0.2, 4.0)
        if how == "paused":
            valkey_server.pause()
            await asyncio.sleep(away)
            valkey_server.resume()
        elif how == "flushed":
            await flushed(valkey_server)
        else:
            await asyncio.to_thread(valkey_server.kill if how == "killed" else valkey_server.stop)
            await asyncio.sleep(away)
            await asyncio.to_thread(valkey_server.start)

    for dice in rounds:
        # A Redis that comes back empty has forgotten who is present, for two seconds.
        allowed = Allowances(present_pushes=True)
        verdict = await judged(list(cluster.gateways), cluster.sandbox, dice, fault, allowed)
        logs = {"gateway": cluster.gateways[0].log, "worker": cluster.worker.log}
        assert verdict.is_good, told(verdict, logs)


async def flushed(server: ValkeyServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"FLUSHALL\r\n")
    assert await reader.readline() == b"+OK\r\n"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_restarted_postgresql_costs_nobody_a_message(
    cluster: RunningCluster, durable_postgres: PostgresServer, rounds: Rounds, how: str
):
    async def fault(dice: random.Random) -> None:
        stop = durable_postgres.kill if how == "killed" else durable_postgres.stop
        await asyncio.to_thread(stop)
        await asyncio.sleep(dice.uniform(0.0, 3.0))
        await asyncio.to_thread(durable_postgres.start)

    for dice in rounds:
        allowed = Allowances(present_pushes=True)
        verdict = await judged(list(cluster.gateways), cluster.sandbox, dice, fault, allowed)
        logs = {"gateway": cluster.gateways[0].log, "worker": cluster.worker.log}
        assert verdict.is_good, told(verdict, logs)


async def test_a_killed_embedded_house_loses_nothing_it_acknowledged(
    tmp_path: Path, rounds: Rounds
):
    async with RunningSandbox.start(tmp_path) as sandbox:
        settings = {**sandbox.settings(), **QUICK_LEASES}
        house = RunningHouse(tmp_path, free_port(), settings)
        house.spawn()
        try:
            await house.ready()

            async def fault(dice: random.Random) -> None:
                await respawned(house, dice)

            for dice in rounds:
                # Gateway and dispatcher died together.
                allowed = Allowances(copies=3, present_pushes=True)
                verdict = await judged([house], sandbox, dice, fault, allowed)
                assert verdict.is_good, told(verdict, {"house": house.log})
                assert verdict.reconnected > 0
        finally:
            await ended(house)
