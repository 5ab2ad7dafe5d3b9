"""The machine under the benchmarks: one core for the server, the rest for the load."""

import asyncio
import gc
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.node import install, node

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
SERVER_CORE, LOAD_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))


def on_core(core: int) -> Any:
    """For `preexec_fn`: keeps the child, and whatever it starts, on one core."""
    return lambda: os.sched_setaffinity(0, {core})


@asynccontextmanager
async def peer(name: str) -> AsyncIterator[tuple[int, int]]:
    """A peer's server on the server core: its port and its process id."""
    file = PEERS / name
    if file.suffix == ".mjs":
        await asyncio.to_thread(install, PEERS)
    runtime: Sequence[str | Path] = [node()] if file.suffix == ".mjs" else [sys.executable]
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
        [*runtime, file], stdout=subprocess.PIPE, text=True, preexec_fn=on_core(SERVER_CORE)
    )
    try:
        assert process.stdout is not None
        yield int(await asyncio.to_thread(process.stdout.readline)), process.pid
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM."""
    statm = Path(f"/proc/{pid}/statm").read_text("ascii")
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def alone(pid: int, *, among: Sequence[int]) -> Iterator[None]:
    """Let only one of these processes run: even an idle server takes a few percent of a core."""
    others = [each for each in among if each != pid]
    for each in others:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in others:
            os.kill(each, signal.SIGCONT)


def as_served() -> None:
    """Have the collector and the threads of this process as `zaffa serve` has them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sys.setswitchinterval(0.0005)


def cpu_of(pid: int) -> float:
    """Processor seconds of a process and of its children, gone ones too (Linux)."""
    tree, seconds = {pid}, 0.0
    # Children have greater numbers, but for the day on which the numbers begin anew.
    for stat in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda each: int(each.parent.name)):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = stat.read_text().rpartition(")")[2].split()
            number = int(stat.parent.name)
            if number == pid or int(fields[1]) in tree:
                tree.add(number)
                seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return seconds


def describe() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "kernel": platform.release(),
    }


def table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as a Markdown table."""
    lines = ["| " + " | ".join(heading) + " |", "|" + "---|" * len(heading)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def report(name: str, results: Any) -> None:
    """Print the results as one JSON line, for whoever compares runs."""
    print(json.dumps({"benchmark": name, "on": describe(), "results": results}))
