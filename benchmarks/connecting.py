"""Connecting: from the handshake to the answered subscription, and what idle connections hold.

Ours checks a signed token, answers `connect`, checks that the user may listen to the channel, and
answers `subscribe`; `zaffa, stored` looks up in the database that the user is a member of the
conversation. socket.io connects and puts the connection into a room; ws only shakes hands. 64
connections are under way at once. The load client is in Python: it tells how busy it was.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass

from benchmarks.fanout import server_named
from benchmarks.load import Load
from benchmarks.machine import LOAD_CORE, alone, cpu_seconds, report, resident_bytes, table
from benchmarks.servers import Server

NAMES = ("zaffa", "zaffa, stored", "socket.io", "ws")
CONNECTING = 1000
IDLE = 5000
WARM = 500
"""Connections before those whose memory is looked at."""


@dataclass(frozen=True, slots=True)
class Connected:
    """What opening connections showed."""

    per_second: float
    server_us: float
    client_busy: float


def connect(load: Load, count: int, pid: int) -> Connected:
    started, own, before = time.monotonic(), time.process_time(), cpu_seconds(pid)
    per_second = load.connect(count)
    took, busy = time.monotonic() - started, time.process_time() - own
    return Connected(per_second, (cpu_seconds(pid) - before) / count * 1e6, busy / took)


async def main(rounds: int) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    results: dict[str, list[Connected]] = {name: [] for name in NAMES}
    memory: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(server_named(each)) for each in NAMES]
        pids = [each.pid for each in servers]
        for number in range(rounds + 1):
            for server in servers:
                with alone(server.pid, among=pids):
                    load = Load(server.port, server.dialect, [server.pid])
                    try:
                        measured = connect(load, CONNECTING, server.pid)
                    finally:
                        load.close()
                    await asyncio.sleep(1)
                if number:  # The first round warms up.
                    results[server.name].append(measured)
        for server in servers:
            with alone(server.pid, among=pids):
                memory[server.name] = idle_bytes(server)
    show(results, memory)


def idle_bytes(server: Server) -> float:
    """Resident memory of an idle, subscribed connection, at 5,000 of them."""
    load = Load(server.port, server.dialect, [server.pid])
    try:
        load.connect(WARM)
        time.sleep(1)
        before = resident_bytes(server.pid)
        load.connect(IDLE)
        time.sleep(1)
        return (resident_bytes(server.pid) - before) / IDLE
    finally:
        load.close()


def show(results: dict[str, list[Connected]], memory: dict[str, float]) -> None:
    rival = results["socket.io"]
    rows = [
        [
            name,
            f"{statistics.median(run.per_second for run in runs):,.0f}",
            f"{_median(a.per_second / b.per_second for a, b in zip(runs, rival, strict=True)):.2f}",
            f"{statistics.median(run.server_us for run in runs):.0f}",
            f"{_median(b.server_us / a.server_us for a, b in zip(runs, rival, strict=True)):.2f}",
            f"{max(run.client_busy for run in runs):.0%}",
            f"{memory[name] / 1024:.2f}",
        ]
        for name, runs in results.items()
    ]
    heading = ["server", "connections/s", "× socket.io", "server µs/connection",
               "× socket.io per CPU second", "load client busy", "KB/idle connection"]  # fmt: skip
    print(f"\nhandshake to subscribed; memory at {IDLE:,} connections\n\n{table(heading, rows)}\n")
    report(
        "connecting",
        {
            name: {"runs": [asdict(run) for run in runs], "bytes_per_idle": memory[name]}
            for name, runs in results.items()
        },
    )


def _median(ratios: Iterable[float]) -> float:
    return statistics.median(ratios)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    asyncio.run(main(parser.parse_args().rounds))
