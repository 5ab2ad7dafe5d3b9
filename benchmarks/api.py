"""Publishing over HTTP, as back ends do it: requests per second and processor time of each.

Connections that stay open ask `POST /api/publish`, wait for the answer and ask again: to a
channel that keeps nothing, and to one with a history, where each publication is durable when it
is answered. A broadcast publishes to 100 channels at once; it counts as 100 publications.
"""

import argparse
import asyncio
import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from benchmarks.load import padded
from benchmarks.machine import LOAD_CORE, report, table
from benchmarks.servers import SIZE, house_on_one_core
from tests.support.running import RunningHouse

KEY = "the key of the benchmark"
CHANNELS = 100
TICKS = os.sysconf("SC_CLK_TCK")

SETTINGS = {
    "ZAFFA_API_KEY": KEY,
    "ZAFFA_CHANNELS_NAMESPACES": json.dumps(
        {"passing": {}, "kept": {"history_size": 100, "history_ttl": "1h"}}
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked over and over, and how many publications that is."""

    what: str
    method: str
    body: bytes
    publications: int = 1
    connections: Sequence[int] = (1, 64)


@dataclass(frozen=True, slots=True)
class Run:
    """What one measurement showed."""

    publications_per_second: float
    server_us: float
    p99_ms: float
    client_busy: float


def asked() -> Sequence[Asked]:
    said = padded(SIZE).replace("%", "0")
    every = ",".join(f'"passing:{number}"' for number in range(CHANNELS))
    kept = every.replace("passing", "kept")
    return [
        Asked("publish, passing", "publish", f'{{"channel":"passing:1","data":{said}}}'.encode()),
        Asked("publish, kept", "publish", f'{{"channel":"kept:1","data":{said}}}'.encode()),
        Asked(
            "broadcast to 100, passing", "broadcast",
            f'{{"channels":[{every}],"data":{said}}}'.encode(), CHANNELS,
        ),
        Asked(
            "broadcast to 100, kept", "broadcast",
            # More would be refused: so many wait for the database at once, at most.
            f'{{"channels":[{kept}],"data":{said}}}'.encode(), CHANNELS, (1, 32),
        ),
    ]  # fmt: skip


class Caller(asyncio.Protocol):
    """One connection: the next request goes out with the answer to the one before."""

    def __init__(self, request: bytes) -> None:
        self.latencies: list[float] = []
        self._request = request
        self._asked_at = 0.0
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, ends, body = self._heard.partition(b"\r\n\r\n")
        if not ends or len(body) < int(head.partition(b"content-length: ")[2].split(b"\r")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200") or b'"error"' in body:
            raise RuntimeError(self._heard[-300:])
        self._heard = b""
        self.latencies.append(perf_counter() - self._asked_at)
        self._ask()

    def close(self) -> None:
        self._transport.abort()

    def _ask(self) -> None:
        self._asked_at = perf_counter()
        self._transport.write(self._request)


async def measure(house: RunningHouse, each: Asked, connections: int, seconds: float) -> Run:
    head = (
        f"POST /api/{each.method} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(each.body)}\r\n\r\n"
    )
    request = head.encode() + each.body
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: Caller(request), "127.0.0.1", house.port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(0.3)
    for caller in callers:
        caller.latencies.clear()
    began, ours, theirs = perf_counter(), process_time(), _processor_seconds(house.pid)
    await asyncio.sleep(seconds)
    passed, busy = perf_counter() - began, process_time() - ours
    used = _processor_seconds(house.pid) - theirs
    for caller in callers:
        caller.close()
    latencies = sorted(latency for caller in callers for latency in caller.latencies)
    published = len(latencies) * each.publications
    return Run(
        publications_per_second=published / passed,
        server_us=1e6 * used / published,
        p99_ms=1e3 * latencies[int(len(latencies) * 0.99)],
        client_busy=busy / passed,
    )


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def main(rounds: int, seconds: float) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    results: dict[tuple[str, int], list[Run]] = {}
    with TemporaryDirectory() as folder:
        async with house_on_one_core(Path(folder), settings=SETTINGS) as house:
            for _ in range(rounds):
                for each in asked():
                    for connections in each.connections:
                        run = await measure(house, each, connections, seconds)
                        results.setdefault((each.what, connections), []).append(run)
    rows = [
        [
            what,
            connections,
            f"{statistics.median(run.publications_per_second for run in runs):,.0f}",
            f"{statistics.median(run.server_us for run in runs):.1f}",
            f"{statistics.median(run.p99_ms for run in runs):.1f}",
            f"{max(run.client_busy for run in runs):.0%}",
        ]
        for (what, connections), runs in results.items()
    ]
    heading = ["what", "connections", "publications/s", "server µs each", "p99 ms", "client busy"]
    print(f"\npublishing over HTTP\n\n{table(heading, rows)}\n")
    report(
        "api",
        {
            f"{what}, {connections}": [asdict(run) for run in runs]
            for (what, connections), runs in results.items()
        },
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    asyncio.run(main(options.rounds, options.seconds))
