"""Fan-out: one message to many subscribers, beside socket.io, ws, websockets.broadcast and nchan.

The peers send on from memory. So do we, in a channel without history: published by the protocol's
command, checked, acknowledged, and sent to subscribers who were authorised, with the guard against
slow readers on; and the same again without the compiled part. `zaffa, stored` is a conversation's
whole path: sent by RPC, checked, stored durably in SQLite with its outbox entry, acknowledged, and
relayed with its offset.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import Load, Measured
from benchmarks.machine import LOAD_CORE, alone, report, table
from benchmarks.servers import (
    Server,
    house_on_one_core,
    peer_named,
    present,
    publish_to,
    send_to,
    zaffa,
)

CASES: dict[str, tuple[int, tuple[int, ...], Sequence[str]]] = {
    "thousand": (1000, (1, 16), ("socket.io", "ws", "websockets.broadcast", "nchan")),
    "five-thousand": (5000, (4,), ("socket.io", "ws", "nchan")),
}
"""Subscribers, messages in flight, and who is measured beside us."""
OURS: dict[str, dict[str, str]] = {
    "zaffa": {},
    "zaffa in Python": {"ZAFFA_WIRE_COMPILED": "false"},
    "zaffa, stored": {},
}
MEMBERS = 1000
"""Users in the conversation; with more subscribers some are there more than once."""
SETTLING = 2.0
"""Seconds for the server to finish what it was given."""


@asynccontextmanager
async def server_named(name: str) -> AsyncIterator[Server]:
    """One of ours or a peer, by its name in the tables."""
    if name not in OURS:
        async with peer_named(name) as server:
            yield server
        return
    users = [f"user-{number}" for number in range(MEMBERS)]
    with TemporaryDirectory() as folder:
        async with house_on_one_core(Path(folder), settings=OURS[name]) as house:
            conversation = await house.group(*users)
            channel, said = "passing:all", publish_to("passing:all")
            if name == "zaffa, stored":
                channel, said = f"conversation:{conversation}", send_to(conversation)
            dialect = zaffa(house, users, lambda _: channel, say=lambda _: said)
            yield Server(name, house.port, house.pid, dialect)


async def main(case: str, names: Sequence[str], rounds: int, seconds: float) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    subscribers, in_flight, peers = CASES[case]
    results: dict[tuple[str, int], list[Measured]] = {}
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(server_named(each))
            for each in names or [*OURS, *present(peers)]
        ]
        for round_number in range(rounds):
            for server in servers:
                print(f"{case}, round {round_number + 1}/{rounds}: {server.name}", flush=True)
                with alone(server.pid, among=[each.pid for each in servers]):
                    for flying, measured in measure(server, subscribers, in_flight, seconds):
                        results.setdefault((server.name, flying), []).append(measured)
    show(case, results)


def measure(
    server: Server, subscribers: int, in_flight: Sequence[int], seconds: float
) -> Iterator[tuple[int, Measured]]:
    """Subscribe everybody, then publish."""
    load = Load(server.port, server.dialect, [server.pid])
    try:
        load.connect(subscribers + 1)
        for each in in_flight:
            yield each, load.fan_out(in_flight=each, seconds=seconds)
        # The last messages are relayed while everybody is here. Otherwise all members would be
        # away from each of them, and telling them would be work for the next round.
        time.sleep(SETTLING)
    finally:
        load.close()


def show(case: str, results: dict[tuple[str, int], list[Measured]]) -> None:
    """Medians, and the ratio to the peers paired round by round."""
    rivals = [each for each in ("socket.io", "ws", "nchan") if (each, 1) in results] or [
        each for each in ("socket.io", "ws", "nchan") if any(key[0] == each for key in results)
    ]
    rows = []
    for (name, in_flight), runs in sorted(results.items(), key=lambda each: each[0][1]):
        median = statistics.median(run.deliveries_per_second for run in runs)
        ratios = [
            statistics.median(
                run.deliveries_per_second / other.deliveries_per_second
                for run, other in zip(runs, results[(rival, in_flight)], strict=True)
            )
            for rival in rivals
        ]
        rows.append(
            [
                name,
                in_flight,
                f"{median:,.0f}",
                *(f"{ratio:.2f}" for ratio in ratios),
                f"{statistics.median(run.p99_ms for run in runs):.1f}",
                f"{statistics.median(run.server_us_per_delivery for run in runs):.2f}",
                *(f"{_cost(results[(rival, in_flight)], runs):.2f}" for rival in rivals),
                f"{max(run.client_busy for run in runs):.0%}",
            ]
        )
    heading = [
        "server",
        "in flight",
        "deliveries/s",
        *(f"× {rival}" for rival in rivals),
        "p99 ms",
        "server µs/delivery",
        *(f"× {rival} per CPU second" for rival in rivals),
        "load client busy",
    ]
    print(f"\nfan-out to {CASES[case][0]:,} subscribers\n\n{table(heading, rows)}\n")
    report(
        f"fanout {case}",
        [
            {"server": name, "in_flight": in_flight, "runs": [asdict(run) for run in runs]}
            for (name, in_flight), runs in results.items()
        ],
    )


def _cost(rivals: Sequence[Measured], runs: Sequence[Measured]) -> float:
    """How many deliveries we make in the processor time in which a rival makes one."""
    return statistics.median(
        rival.server_us_per_delivery / run.server_us_per_delivery
        for rival, run in zip(rivals, runs, strict=True)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE")
    parser.add_argument("--servers", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    for each in options.cases:
        asyncio.run(main(each, options.servers, options.rounds, options.seconds))
