"""Pushes a second to the sandbox over TLS: through the adapters alone, and through the room.

The sandbox runs in a process of its own, on another core where there is one.

    python -m benchmarks.push [--seconds 5] [--batch 200] [--pushes 10000]
"""

import argparse
import asyncio
import time
from dataclasses import asdict, dataclass

import uvloop

from benchmarks.machine import LOAD_CORE, SERVER_CORE, report, table
from benchmarks.push_pipeline import Measured, pipelines
from benchmarks.sandboxed import Places, address, sandbox_elsewhere
from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.notices import Urgency
from notifications.ports import PushProvider
from notifications.types import AddressKind, Attempt, Content, Environment, Verdict

_IN_FLIGHT = 2
"""Calls of `send` under way at once, as several lanes of a dispatcher would have."""
_ADDRESSES = 20_000
"""More than enough that no device's own quota is met."""
_CONTENT = Content(
    title="سارة بن علي",
    body="On se retrouve à la salle à 14h, n'oublie pas les fleurs ! إن شاء الله",
    data={"conversation_id": "01890a5d-ac96-774b-bcce-b302099a8057", "offset": "42"},
    thread="01890a5d-ac96-774b-bcce-b302099a8057",
    link="app://conversations/01890a5d-ac96-774b-bcce-b302099a8057",
)


@dataclass(frozen=True, slots=True)
class Result:
    """One provider's figures. `p50_ms` and `p99_ms` are of whole batches."""

    provider: str
    pushes: int
    per_second: float
    per_cpu_second: float
    cpu_us_per_push: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured time per adapter")
    parser.add_argument("--batch", type=int, default=200, help="attempts in one call")
    parser.add_argument("--pushes", type=int, default=10_000, help="pushes per pipeline")
    arguments = parser.parse_args()
    if SERVER_CORE == LOAD_CORE:
        print("One core only: the sandbox shares it, and pushes/s says little.")
    with sandbox_elsewhere() as places:
        adapters = uvloop.run(_adapters(places, arguments.seconds, arguments.batch))
        _print_adapters(adapters)
        whole = pipelines(places, arguments.pushes)
    _print_pipelines(whole)
    report(
        "push",
        {
            "adapters": [asdict(each) for each in adapters],
            "pipelines": [asdict(each) for each in whole],
        },
    )


def _print_adapters(results: list[Result]) -> None:
    rows = [
        [
            each.provider,
            f"{each.per_second:,.0f}",
            f"{each.per_cpu_second:,.0f}",
            f"{each.cpu_us_per_push:.0f}",
            f"{each.p50_ms:.0f}",
            f"{each.p99_ms:.0f}",
        ]
        for each in results
    ]
    heading = ["provider", "pushes/s", "per CPU second", "CPU µs/push", "p50 ms", "p99 ms"]
    print(table(heading, rows))


def _print_pipelines(results: list[Measured]) -> None:
    rows = [
        [
            each.database,
            each.provider,
            each.urgency,
            f"{each.per_second:,.0f}",
            f"{each.per_cpu_second:,.0f}",
            f"{each.cpu_us_per_push:.0f}",
        ]
        for each in results
    ]
    heading = ["database", "provider", "class", "pushes/s", "per CPU second", "CPU µs/push"]
    print()
    print(table(heading, rows))


async def _adapters(places: Places, seconds: float, batch: int) -> list[Result]:
    fcm, apns = places.fcm_provider(), places.apns_provider()
    return [
        await _measure_one(fcm, AddressKind.FCM_TOKEN, seconds, batch),
        await _measure_one(apns, AddressKind.APNS, seconds, batch),
    ]


async def _measure_one(
    provider: PushProvider, kind: AddressKind, seconds: float, batch: int
) -> Result:
    await provider.open()
    for _ in range(5):  # Handshakes and the first token are not what is measured.
        await provider.send(_attempts(kind, 0, batch))
    latencies: list[float] = []
    sent = 0
    began, cpu = time.perf_counter(), time.process_time()

    async def keep_sending() -> None:
        nonlocal sent
        while time.perf_counter() - began < seconds:
            attempts = _attempts(kind, sent, batch)
            sent += batch
            asked = time.perf_counter()
            outcomes = await provider.send(attempts)
            latencies.append(time.perf_counter() - asked)
            wrong = [each for each in outcomes if each.verdict is not Verdict.ACCEPTED]
            if wrong:
                raise SystemExit(f"{provider.name}: {len(wrong)} not accepted, first: {wrong[0]}")

    await asyncio.gather(*(keep_sending() for _ in range(_IN_FLIGHT)))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    await provider.close()
    latencies.sort()
    return Result(
        provider=provider.name,
        pushes=sent,
        per_second=round(sent / wall, 1),
        per_cpu_second=round(sent / cpu, 1),
        cpu_us_per_push=round(cpu / sent * 1e6, 1),
        p50_ms=round(latencies[len(latencies) // 2] * 1000, 1),
        p99_ms=round(latencies[int(len(latencies) * 0.99)] * 1000, 1),
    )


def _attempts(kind: AddressKind, start: int, count: int) -> list[Attempt]:
    now = SystemClock().now()
    expires_at = now.replace(year=now.year + 1)
    return [
        Attempt(
            push_id=new_id(now),
            number=1,
            address_kind=kind,
            address=address(kind, (start + each) % _ADDRESSES),
            environment=Environment.PRODUCTION,
            urgency=Urgency.INTERACTIVE,
            content=_CONTENT,
            collapse_key="01890a5d-ac96-774b-bcce-b302099a8057",
            expires_at=expires_at,
        )
        for each in range(count)
    ]


if __name__ == "__main__":
    main()
