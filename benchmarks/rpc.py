"""Round trips: 200 connections ask, wait for their answer and ask again; no database is touched.

Ours is an RPC with a body of 200 bytes that comes back; socket.io answers an event with its
acknowledgement. What counts is answers per processor second of the server.
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
from benchmarks.machine import LOAD_CORE, alone, report, table
from benchmarks.servers import Server, echo, house_on_one_core, peer_named, zaffa

CONNECTIONS = 200
NAMES = ("zaffa", "socket.io")


@asynccontextmanager
async def server_named(name: str) -> AsyncIterator[Server]:
    if name != "zaffa":
        async with peer_named(name, event="cmd") as server:
            yield server
        return
    users = [f"user-{number}" for number in range(CONNECTIONS)]
    with TemporaryDirectory() as folder:
        async with house_on_one_core(Path(folder), module="benchmarks.server") as house:
            said = echo()
            dialect = zaffa(house, users, None, say=lambda _: said, delivery=None)
            yield Server(name, house.port, house.pid, dialect)


async def main(rounds: int, seconds: float) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    results: dict[str, list[Measured]] = {name: [] for name in NAMES}
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(server_named(each)) for each in NAMES]
        for _ in range(rounds):
            for server in servers:
                with alone(server.pid, among=[each.pid for each in servers]):
                    load = Load(server.port, server.dialect, [server.pid])
                    try:
                        load.connect(CONNECTIONS)
                        results[server.name].append(load.exchange(seconds=seconds))
                    finally:
                        load.close()
    rows = [
        [
            name,
            f"{statistics.median(run.messages_per_second for run in runs):,.0f}",
            f"{statistics.median(1e6 / run.server_us_per_message for run in runs):,.0f}",
            f"{statistics.median(run.server_us_per_message for run in runs):.1f}",
            f"{_ratio(runs, results['socket.io']):.2f}",
            f"{statistics.median(run.answer_p99_ms for run in runs):.1f}",
            f"{max(run.client_busy for run in runs):.0%}",
        ]
        for name, runs in results.items()
    ]
    heading = ["server", "answers/s", "answers per CPU second", "server µs/answer",
               "× socket.io per CPU second", "p99 ms", "load client busy"]  # fmt: skip
    print(f"\nround trips on {CONNECTIONS} connections\n\n{table(heading, rows)}\n")
    report("rpc", {name: [asdict(run) for run in runs] for name, runs in results.items()})


def _ratio(runs: list[Measured], others: list[Measured]) -> float:
    return statistics.median(
        other.server_us_per_message / run.server_us_per_message
        for run, other in zip(runs, others, strict=True)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    asyncio.run(main(options.rounds, options.seconds))
