"""Sending: durable, acknowledged, delivered to ten members; and one send on an idle system.

200 users are connected, each in ten conversations of ten members; each sends to a conversation of
its own, waits for the acknowledgement and sends again. Every message is committed (PostgreSQL
with `fsync` and `synchronous_commit`, SQLite with `synchronous=FULL`) with its outbox entry before
it is acknowledged, and delivered to its ten members. Afterwards the logs must hold no less than
was acknowledged. One gateway process has a core; PostgreSQL, Valkey, the relay's process and the
load client share the other.

On the idle system one user sends and one listens, a message every twenty milliseconds; what
counts is from the sender's WebSocket to the listener's.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import Dialect, Load, Measured
from benchmarks.machine import LOAD_CORE, SERVER_CORE, on_core, report, table
from benchmarks.servers import LIMITS, send_to, zaffa
from server import migrations
from tests.support.cluster import WORK
from tests.support.running import RunningHouse
from tests.support.servers import PostgresServer, ValkeyServer, running

USERS = [f"user-{number}" for number in range(200)]
MEMBERS = 10
PAUSE = 0.02


@asynccontextmanager
async def on_sqlite(folder: Path) -> AsyncIterator[RunningHouse]:
    """The embedded default: everything in one process."""
    async with RunningHouse.start(folder, preexec=on_core(SERVER_CORE), settings=LIMITS) as house:
        yield house


@asynccontextmanager
async def on_postgres(folder: Path) -> AsyncIterator[RunningHouse]:
    """One gateway on its core; PostgreSQL, Valkey and a worker node on the other."""
    with (
        running(PostgresServer(durable=True, settings={"shared_buffers": "512MB"})) as postgres,
        running(ValkeyServer()) as valkey,
    ):
        await migrations.upgrade(postgres.url)
        settings = {**LIMITS, "ZAFFA_DATABASE_URL": postgres.url, "ZAFFA_REDIS_URL": valkey.url}
        async with AsyncExitStack() as stack:
            gateway = await stack.enter_async_context(
                RunningHouse.start(
                    folder, preexec=on_core(SERVER_CORE), settings=settings, roles=["gateway"]
                )
            )
            await stack.enter_async_context(
                RunningHouse.start(folder, preexec=on_core(LOAD_CORE), roles=WORK, like=gateway)
            )
            yield gateway


DATABASES: dict[str, Callable[[Path], AbstractAsyncContextManager[RunningHouse]]] = {
    "SQLite": on_sqlite,
    "PostgreSQL": on_postgres,
}


async def conversations(house: RunningHouse) -> list[str]:
    """One for each user, of it and the nine who come after."""
    users = [*USERS, *USERS]
    return [await house.group(*users[at : at + MEMBERS]) for at in range(len(USERS))]


def everybody(house: RunningHouse, ids: list[str]) -> Dialect:
    """Each connection listens to all conversations of its user, and sends to its own."""
    tokens = [house.token(user) for user in USERS]

    def hello(number: int) -> list[bytes]:
        connect: dict[str, object] = {"token": tokens[number], "name": "bench"}
        commands: list[dict[str, object]] = [{"id": 1, "connect": connect}]
        commands += [
            {"id": 2 + back, "subscribe": {"channel": f"conversation:{ids[number - back]}"}}
            for back in range(MEMBERS)
        ]
        return ["\n".join(map(json.dumps, commands)).encode()]

    return Dialect(
        path="/connection/websocket",
        hello=hello,
        answers=[(b'"subscribe":{', b"")] * MEMBERS,
        say=lambda number: send_to(ids[number]).encode(),
        answer=b'"rpc":{',
    )


async def busy(house: RunningHouse, ids: list[str], seconds: float) -> Measured:
    before = await tops(house, ids)
    load = Load(house.port, everybody(house, ids), [house.pid])
    try:
        load.connect(len(USERS))
        measured = load.exchange(seconds=seconds)
    finally:
        load.close()
        await asyncio.sleep(2)  # For what follows from it.
    stored = await tops(house, ids) - before
    if stored < measured.messages_per_second * seconds:
        raise RuntimeError(f"only {stored} messages are in the logs: {measured}")
    return measured


async def tops(house: RunningHouse, ids: list[str]) -> int:
    """How many messages there are."""
    asked = [
        house.call("GET", f"/v1/conversations/{each}", user=user)
        for each, user in zip(ids, USERS, strict=True)
    ]
    return sum([(await each)["top"] for each in asked])


def idle(house: RunningHouse, conversation: str, seconds: float) -> Measured:
    dialect = zaffa(
        house,
        USERS[:2],
        lambda _: f"conversation:{conversation}",
        say=lambda _: send_to(conversation),
    )
    load = Load(house.port, dialect, [house.pid])
    try:
        load.connect(2)
        return load.fan_out(in_flight=1, pause=PAUSE, seconds=seconds)
    finally:
        load.close()


async def main(names: list[str], rounds: int, seconds: float) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    sent: dict[str, list[Measured]] = {}
    alone: dict[str, list[Measured]] = {}
    for name in names:
        with TemporaryDirectory() as folder:
            async with DATABASES[name](Path(folder)) as house:
                ids = await conversations(house)
                time.sleep(2)  # noqa: ASYNC251 - nothing else runs
                alone[name] = [idle(house, ids[0], seconds) for _ in range(rounds)]
                sent[name] = [await busy(house, ids, seconds) for _ in range(rounds)]
    show(sent, alone)


def show(sent: dict[str, list[Measured]], alone: dict[str, list[Measured]]) -> None:
    def median(runs: list[Measured], of: Callable[[Measured], float]) -> float:
        return statistics.median(map(of, runs))

    rows = [
        [
            name,
            f"{median(runs, lambda run: run.messages_per_second):,.0f}",
            f"{median(runs, lambda run: run.deliveries_per_second):,.0f}",
            f"{median(runs, lambda run: run.answer_p50_ms):.1f}",
            f"{median(runs, lambda run: run.answer_p99_ms):.1f}",
            f"{median(runs, lambda run: run.p99_ms):.1f}",
            f"{median(runs, lambda run: run.server_us_per_message):.0f}",
            f"{max(run.client_busy for run in runs):.0%}",
            f"{median(alone[name], lambda run: run.p50_ms):.2f}",
            f"{median(alone[name], lambda run: run.p99_ms):.2f}",
        ]
        for name, runs in sent.items()
    ]
    heading = ["database", "acknowledged/s", "deliveries/s", "ack p50 ms", "ack p99 ms",
               "delivery p99 ms", "gateway µs/message", "load client busy", "idle p50 ms",
               "idle p99 ms"]  # fmt: skip
    print(f"\n200 senders, 10 members; one send on an idle system\n\n{table(heading, rows)}\n")
    report(
        "sending",
        {
            name: {
                "busy": [asdict(run) for run in runs],
                "idle": [asdict(run) for run in alone[name]],
            }
            for name, runs in sent.items()
        },
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("databases", nargs="*", default=list(DATABASES), metavar="DATABASE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    asyncio.run(main(options.databases, options.rounds, options.seconds))
