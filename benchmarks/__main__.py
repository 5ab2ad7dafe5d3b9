"""Runs every benchmark, one after another, each in a process of its own."""

import subprocess
import sys

BENCHMARKS = [
    "fanout",
    "rpc",
    "connecting",
    "sending",
    "history",
    "growth",
    "ingest",
    "api",
    "bus",
    "storm",
    "rendering",
    "push",
    "dispatching",
    "campaign",
    "reminders",
]

if __name__ == "__main__":
    for name in BENCHMARKS:
        print(f"\n# {name}\n", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True, timeout=1800)
