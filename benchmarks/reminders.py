"""Reminders at nine in the morning: everybody's come due at once.

    python -m benchmarks.reminders [--due 100000] [--waiting 2000000] [--only spike]
    python -m benchmarks.reminders --full     the spike alone: half a million due of ten million

PostgreSQL flushes at every commit; two schedulers, the database and whoever completes tasks
share the machine's cores. On SQLite all of it is one process.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from benchmarks.machine import as_served, report, table
from benchmarks.reminders_peers import peers
from benchmarks.reminders_planning import planning
from benchmarks.reminders_spike import spike
from benchmarks.reminders_sqlite import on_sqlite


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--due", type=int, default=100_000)
    parser.add_argument("--waiting", type=int, default=2_000_000)
    parts: Mapping[str, Callable[[], Sequence[Any]]] = {
        "spike": lambda: [spike(given.due, given.waiting)],
        "planning": planning,
        "sqlite": lambda: [on_sqlite()],
        "peers": peers,
    }
    parser.add_argument("--only", choices=parts)
    parser.add_argument("--full", action="store_true")
    given = parser.parse_args()
    if given.full:
        given.due, given.waiting, given.only = 500_000, 9_500_000, "spike"
    as_served()
    results: dict[str, Any] = {}
    for name, measure in parts.items():
        if given.only in (None, name):
            found = measure()
            results[name] = [asdict(each) for each in found]
            print(shown(found), "\n", flush=True)
    report("reminders", results)


def shown(found: Sequence[Any]) -> str:
    """A line for each figure, or for each peer."""
    names = [each.name for each in fields(found[0])]
    if len(found) == 1:
        return table(["what", "measured"], [(name, getattr(found[0], name)) for name in names])
    return table(names, [[getattr(each, name) for name in names] for each in found])


if __name__ == "__main__":
    main()
