"""Growth: what fan-out costs from 10 to 10,000 subscribers, and from 1 to 4 nodes.

Messages are published one at a time to a channel without history. The nodes share PostgreSQL and
Valkey, and one core: what counts is the processor time of all of them together for one delivery.
Subscribers are spread evenly; the publisher is with one node, and the others hear of it through
Valkey.
"""

import argparse
import asyncio
import os
import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import Load, Measured
from benchmarks.machine import LOAD_CORE, SERVER_CORE, on_core, report, table
from benchmarks.servers import LIMITS, PASSING, house_on_one_core, publish_to, zaffa
from server import migrations
from tests.support.running import RunningHouse
from tests.support.servers import PostgresServer, ValkeyServer, running

SUBSCRIBERS = (10, 100, 1000, 10_000)
NODES = (1, 2, 4)
SPREAD = 1000
"""Subscribers of all nodes together."""
USERS = [f"user-{number}" for number in range(1000)]
CHANNEL = "passing:all"


@asynccontextmanager
async def cluster(folder: Path, nodes: int) -> AsyncIterator[list[RunningHouse]]:
    """So many gateways on one PostgreSQL and one Valkey, all of them on one core."""
    with running(PostgresServer()) as postgres, running(ValkeyServer()) as valkey:
        await migrations.upgrade(postgres.url)
        settings = {
            **LIMITS,
            "ZAFFA_DATABASE_URL": postgres.url,
            "ZAFFA_REDIS_URL": valkey.url,
            "ZAFFA_CHANNELS_NAMESPACES": PASSING,
        }
        async with AsyncExitStack() as stack:
            houses: list[RunningHouse] = []
            for _ in range(nodes):
                starting = RunningHouse.start(
                    folder,
                    preexec=on_core(SERVER_CORE),
                    settings=settings,
                    roles=["gateway"],
                    like=houses[0] if houses else None,
                )
                houses.append(await stack.enter_async_context(starting))
            yield houses


def measure(houses: list[RunningHouse], subscribers: int, rounds: int, seconds: float) -> Measured:
    """The median round, by cost."""
    dialect = zaffa(houses[0], USERS, lambda _: CHANNEL, say=lambda _: publish_to(CHANNEL))
    load = Load(
        houses[0].port,
        dialect,
        [each.pid for each in houses],
        ports=[each.port for each in houses],
    )
    try:
        load.connect(subscribers + 1)
        runs = [load.fan_out(in_flight=1, seconds=seconds) for _ in range(rounds)]
    finally:
        load.close()
    middle = statistics.median_low(run.server_us_per_delivery for run in runs)
    return next(run for run in runs if run.server_us_per_delivery == middle)


async def main(rounds: int, seconds: float) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    found: dict[str, Measured] = {}
    for subscribers in SUBSCRIBERS:
        with TemporaryDirectory() as folder:
            async with house_on_one_core(Path(folder)) as house:
                found[f"{subscribers:,} subscribers"] = measure(
                    [house], subscribers, rounds, seconds
                )
    for nodes in NODES:
        with TemporaryDirectory() as folder:
            async with cluster(Path(folder), nodes) as houses:
                found[f"{SPREAD:,} on {nodes} node{'s' * (nodes > 1)}"] = measure(
                    houses, SPREAD, rounds, seconds
                )
    rows = [
        [
            name,
            f"{run.messages_per_second:,.0f}",
            f"{run.deliveries_per_second:,.0f}",
            f"{run.server_us_per_message:,.0f}",
            f"{run.server_us_per_delivery:.2f}",
            f"{run.p50_ms:.2f}",
            f"{run.p99_ms:.2f}",
        ]
        for name, run in found.items()
    ]
    heading = [
        "what",
        "messages/s",
        "deliveries/s",
        "µs/message",
        "µs/delivery",
        "p50 ms",
        "p99 ms",
    ]
    print(f"\none message in flight\n\n{table(heading, rows)}\n")
    report("growth", {name: asdict(run) for name, run in found.items()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    asyncio.run(main(options.rounds, options.seconds))
