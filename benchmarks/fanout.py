"""Fan-out: one message to 1,000 subscribers, beside socket.io, ws and websockets.broadcast.

Ours is the whole path: the message is sent by RPC, checked, stored durably in SQLite with its
outbox entry, acknowledged, and relayed with its offset. The peers broadcast from memory; so does
a second house of ours with an operation for it (`benchmarks/server.py`), to tell what fan-out
costs from what keeping messages costs.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import COUNT, INSTANT, Dialect, Load, Measured, padded, resident_bytes
from benchmarks.machine import LOAD_CORE, SERVER_CORE, alone, on_core, peer, report, table
from tests.support.running import RunningHouse

SIZE = 200
SUBSCRIBERS = 1000
IDLE = 5000
SETTLING = 2.0
"""Seconds for the server to finish what it was given."""


def plain(path: str = "/") -> Dialect:
    """A server that sends on to everybody what anybody sends: ws, websockets.broadcast."""
    return Dialect(
        path=path,
        hello=lambda _: [],
        answers=[],
        publish=padded(SIZE).encode(),
    )


def socket_io() -> Dialect:
    """Engine.IO 4 and Socket.IO 5 over WebSocket."""
    return Dialect(
        path="/socket.io/?EIO=4&transport=websocket",
        hello=lambda _: [],
        answers=[(b'0{"sid"', b"40"), (b'40{"sid"', b"")],
        publish=f'42["pub",{padded(SIZE)}]'.encode(),
    )


def zaffa(
    house: RunningHouse, conversation: str, users: list[str], *, stored: bool = True
) -> Dialect:
    """The Centrifuge protocol: connect with a token, subscribe, send or only publish by RPC."""
    tokens = [house.token(user) for user in users]
    channel = f"conversation:{conversation}"

    def hello(number: int) -> list[bytes]:
        connect = {"id": 1, "connect": {"token": tokens[number % len(tokens)], "name": "bench"}}
        subscribe = {"id": 2, "subscribe": {"channel": channel}}
        return [f"{json.dumps(connect)}\n{json.dumps(subscribe)}".encode()]

    if stored:
        method = "messages.send"
        data = f'"conversation_id":"{conversation}","idempotency_key":"{INSTANT}"'
    else:
        method, data = "bench.publish", f'"channel":"{channel}"'
    publish = (
        f'{{"id":1{COUNT},"rpc":{{"method":"{method}","data":{{{data},"body":{padded(SIZE)}}}}}}}'
    )
    return Dialect(
        path="/connection/websocket",
        hello=hello,
        answers=[(b'"subscribe":{', b"")],
        publish=publish.encode(),
    )


@asynccontextmanager
async def house_on_one_core(folder: Path, *, module: str = "server") -> AsyncIterator[RunningHouse]:
    """A whole house on the embedded default, without limits that a benchmark would meet."""
    async with RunningHouse.start(
        folder,
        module=module,
        preexec=on_core(SERVER_CORE),
        settings={
            "ZAFFA_CONVERSATIONS_MEMBERS": str(IDLE + SUBSCRIBERS),
            "ZAFFA_CONNECTIONS_COMMANDS_PER_SECOND": "1000000",
            "ZAFFA_CONNECTIONS_PING_SECONDS": "25",
            "ZAFFA_CONNECTIONS_PONG_SECONDS": "8",
            "ZAFFA_SERVER_LOG_LEVEL": "warning",
        },
    ) as house:
        yield house


async def main(rounds: int, seconds: float) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    results: dict[tuple[str, int], list[Measured]] = {}
    async with AsyncExitStack() as stack:
        users = [f"user-{number}" for number in range(SUBSCRIBERS + 1)]
        servers: dict[str, tuple[int, int, Dialect]] = {}
        for name, module, stored in [
            ("zaffa", "server", True),
            ("zaffa, not stored", "benchmarks.server", False),
        ]:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            house = await stack.enter_async_context(house_on_one_core(folder, module=module))
            conversation = await house.group(*users)
            dialect = zaffa(house, conversation, users, stored=stored)
            servers[name] = (house.port, house.pid, dialect)
        for name, file, dialect in [
            ("socket.io", "socketio.mjs", socket_io()),
            ("ws", "ws.mjs", plain()),
            ("websockets.broadcast", "websockets_broadcast.py", plain()),
        ]:
            port, pid = await stack.enter_async_context(peer(file))
            servers[name] = (port, pid, dialect)
        for round_number in range(rounds):
            for name, (port, pid, dialect) in servers.items():
                print(f"round {round_number + 1}/{rounds}: {name}", flush=True)
                with alone(pid, among=[each for _, each, _ in servers.values()]):
                    for in_flight, measured in measure(Load(port, dialect, pid), seconds):
                        results.setdefault((name, in_flight), []).append(measured)
    show(results)
    await idle_memory()


def measure(load: Load, seconds: float) -> Iterator[tuple[int, Measured]]:
    """Subscribe everybody, then publish with one message in flight and with 16."""
    try:
        load.connect(SUBSCRIBERS + 1)
        for in_flight in (1, 16):
            yield in_flight, load.fan_out(in_flight=in_flight, seconds=seconds)
        # The last messages are relayed while everybody is here. Otherwise 1,000 members would be
        # away from each of them, and telling them would be work for the next round.
        time.sleep(SETTLING)
    finally:
        load.close()


def show(results: dict[tuple[str, int], list[Measured]]) -> None:
    """Medians, and the ratio to socket.io paired round by round."""
    rows = []
    for (name, in_flight), runs in sorted(results.items(), key=lambda each: each[0][1]):
        median = statistics.median(run.deliveries_per_second for run in runs)
        ratios = [
            statistics.median(
                run.deliveries_per_second / other.deliveries_per_second
                for run, other in zip(runs, results[(rival, in_flight)], strict=True)
            )
            for rival in ("socket.io", "ws", "websockets.broadcast")
        ]
        rows.append(
            [
                name,
                in_flight,
                f"{median:,.0f}",
                *(f"{ratio:.2f}" for ratio in ratios),
                f"{statistics.median(run.p99_ms for run in runs):.1f}",
                f"{statistics.median(run.server_cpu_us_per_delivery for run in runs):.2f}",
                f"{max(run.client_busy for run in runs):.0%}",
            ]
        )
    heading = [
        "server",
        "in flight",
        "deliveries/s",
        "× socket.io",
        "× ws",
        "× websockets.broadcast",
        "p99 ms",
        "server µs/delivery",
        "load client busy",
    ]
    print(table(heading, rows))
    report(
        "fanout",
        [
            {"server": name, "in_flight": in_flight, "runs": [asdict(run) for run in runs]}
            for (name, in_flight), runs in results.items()
        ],
    )


async def idle_memory() -> None:
    """Resident memory per idle, subscribed connection, at 5,000 of them."""
    with TemporaryDirectory() as folder:
        async with house_on_one_core(Path(folder)) as house:
            users = [f"user-{number}" for number in range(500)]
            conversation = await house.group(*users)
            load = Load(house.port, zaffa(house, conversation, users), house.pid)
            try:
                load.connect(200)
                before = resident_bytes(house.pid)
                rate = load.connect(IDLE)
                await asyncio.sleep(1)
                per_connection = (resident_bytes(house.pid) - before) / IDLE
            finally:
                load.close()
    print(f"idle, subscribed: {per_connection / 1024:.2f} KB a connection at {IDLE:,} of them")
    print(f"handshake to subscribed: {rate:,.0f}/s")
    report("idle", {"bytes_per_connection": per_connection, "handshakes_per_second": rate})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    asyncio.run(main(options.rounds, options.seconds))
