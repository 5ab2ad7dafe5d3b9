"""The bus: processor time for following a channel, publishing and hearing, plain and sharded.

Publications of 280 bytes go to 1,000 channels, handed over 50 at a time. Who hears is a process
of its own, so what it costs is told apart from publishing. redis-py stands beside it where it can
do the same.
"""

import argparse
import asyncio
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass

import uvloop
from redis.asyncio import Redis

from benchmarks.machine import report, table
from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_client import RedisClient
from kernel.adapters.redis_options import RedisOptions
from kernel.bus import Publication, StreamPosition
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from tests.support.redis_setups import ValkeyCluster
from tests.support.servers import ValkeyServer, running

CHANNELS = [f"conversation:{number}" for number in range(1000)]
MORE_CHANNELS = frozenset(f"user:{number}" for number in range(20_000))
DATA = b'"' + b"x" * 278 + b'"'
TOGETHER = 50
AHEAD = 2000
"""Publications that may wait before the one who publishes does."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one thing costs in processor time, and how fast it went."""

    who: str
    setup: str
    what: str
    cpu_us: float
    per_second: float


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measured(
    who: str, setup: str, what: str, count: int, work: Callable[[], Awaitable[None]]
) -> Measured:
    """Let `work` do something `count` times."""
    began, used = time.perf_counter(), processor_seconds()
    await work()
    seconds, spent = time.perf_counter() - began, processor_seconds() - used
    return Measured(who, setup, what, round(spent / count * 1e6, 2), round(count / seconds))


@asynccontextmanager
async def bus_on(url: str) -> AsyncIterator[RedisBus]:
    options = RedisOptions(url=url, prefix="bench:", waiting=100_000)
    bus = RedisBus(options, clock=SystemClock(), metrics=Metrics())
    await bus.open()
    yield bus
    await bus.close()


async def publish(bus: RedisBus, count: int) -> None:
    """Publish so many, at most `AHEAD` of them before somebody has read them."""
    for start in range(0, count, TOGETHER):
        bus.publish(
            [
                Publication(CHANNELS[number % 1000], DATA, StreamPosition(number, "epoch"))
                for number in range(start, start + TOGETHER)
            ]
        )
        if start % AHEAD == 0:
            # A question is answered after what was handed over before it.
            await bus.healthy()
        await asyncio.sleep(0)
    await bus.healthy()


async def ours(setup: str, url: str, count: int) -> list[Measured]:
    found = []
    async with bus_on(url) as bus:
        found.append(await measured("zaffa", setup, "publish", count, lambda: publish(bus, count)))
    async with bus_on(url) as bus, bus.listen() as listener:
        follow = listener.follow
        found.append(
            await measured("zaffa", setup, "follow", 20_000, lambda: follow(MORE_CHANNELS))
        )
        await follow(frozenset(CHANNELS))

        async def hear() -> None:
            heard = 0
            async for arrived in listener:
                heard += len(arrived)
                if heard >= count:
                    return

        with speaking(url, count):
            found.append(await measured("zaffa", setup, "hear", count, hear))
    return found


async def theirs(setup: str, url: str, count: int) -> list[Measured]:
    command = "SPUBLISH" if "cluster" in url else "PUBLISH"
    client = RedisClient(RedisOptions(url=url))

    async def pipelines() -> None:
        for start in range(0, count, TOGETHER):
            pipeline = client.redis.pipeline(transaction=False)
            for number in range(start, start + TOGETHER):
                pipeline.execute_command(command, f"bench:{CHANNELS[number % 1000]}", DATA)
            await pipeline.execute()

    found = [await measured("redis-py", setup, "publish", count, pipelines)]
    if isinstance(client.redis, Redis):
        pubsub = client.redis.pubsub()
        await pubsub.subscribe(*(f"bench:{channel}" for channel in CHANNELS))
        for _ in CHANNELS:
            await pubsub.get_message(timeout=None)

        async def hear() -> None:
            for _ in range(count):
                await pubsub.get_message(timeout=None)

        with speaking(url, count):
            found.append(await measured("redis-py", setup, "hear", count, hear))
        await pubsub.aclose()
    await client.close()
    return found


def speaking(url: str, count: int) -> "subprocess.Popen[bytes]":
    """Somebody else who publishes so many."""
    command = [sys.executable, "-m", "benchmarks.bus", "--speak", url, "--publications", str(count)]
    return subprocess.Popen(command)


async def speak(url: str, count: int) -> None:
    async with bus_on(url) as bus:
        await publish(bus, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publications", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--speak", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.speak:
        uvloop.run(speak(given.speak, given.publications))
        return
    runs: list[Measured] = []
    with ExitStack() as opened:
        urls = {
            "one server": opened.enter_context(running(ValkeyServer())).url,
            "cluster of 3": opened.enter_context(ValkeyCluster.start()).url,
        }
        for _ in range(given.rounds):
            for setup, url in urls.items():
                runs += uvloop.run(ours(setup, url, given.publications))
                runs += uvloop.run(theirs(setup, url, given.publications // 10))
    seen = dict.fromkeys((each.what, each.setup, each.who) for each in runs)
    rows = []
    for what, setup, who in sorted(seen):
        same = [each for each in runs if (each.what, each.setup, each.who) == (what, setup, who)]
        cpu = statistics.median(each.cpu_us for each in same)
        rate = statistics.median(each.per_second for each in same)
        rows.append([what, setup, who, f"{cpu:.1f}", f"{rate:,.0f}"])
    print(table(["what", "on", "who", "µs of processor time each", "per second"], rows))
    report("bus", [asdict(each) for each in runs])


if __name__ == "__main__":
    main()
