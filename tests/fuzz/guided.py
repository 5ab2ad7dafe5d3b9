"""The coverage-guided fuzzer: `make fuzz`, or `python -m tests.fuzz.guided --seconds 60`.

Every target runs in a process of its own for its share of the time, from the recorded frames on.
What it finds is printed in base 64; written into a test, it is a regression test.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.corpus import seeds

ROOT = Path(__file__).parents[2]
BYTES = 4096
"""Size of an input, at most: what goes wrong goes wrong with little."""
HANGS = 10
"""Seconds that one input may take."""

_STATUS = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+)")


class Outcome(NamedTuple):
    """What became of one target."""

    target: str
    inputs: int
    edges: int
    found: bytes | None
    told: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--target", help="run this one, in this process")
    parser.add_argument("arguments", nargs="*", help="for libFuzzer, with --target")
    asked = parser.parse_args()
    if asked.target:
        _fuzz(asked.target, asked.arguments)
    targets = names()
    outcomes = [fuzz(each, seconds=asked.seconds / len(targets)) for each in targets]
    print(f"{'target':20}{'inputs':>10}{'edges':>8}  outcome")
    for each in outcomes:
        outcome = "nothing found" if each.found is None else "FAILED, see above"
        print(f"{each.target:20}{each.inputs:10}{each.edges:8}  {outcome}")
    sys.exit(any(each.found is not None for each in outcomes))


def names() -> list[str]:
    """The targets, by name."""
    from tests.fuzz.targets import TARGETS

    return [*TARGETS, "connection"]


def fuzz(target: str, *, seconds: float) -> Outcome:
    """Run one target for a while; what it finds is printed."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, found = Path(folder, "corpus"), Path(folder, "found")
        corpus.mkdir()
        found.mkdir()
        for number, seed in enumerate(seeds(target)):
            (corpus / str(number)).write_bytes(seed)
        done = subprocess.run(
            [
                sys.executable, "-m", "tests.fuzz.guided", "--target", target, "--",
                f"-max_total_time={max(1, round(seconds))}", f"-max_len={BYTES}",
                f"-timeout={HANGS}", "-rss_limit_mb=1024", f"-artifact_prefix={found}/",
                "-print_final_stats=1", str(corpus),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        culprits = [each.read_bytes() for each in sorted(found.iterdir())]
    told = done.stdout + done.stderr
    status = _STATUS.findall(told) or [(0, 0, 0)]
    if done.returncode:
        print(told[-6000:])
        for each in culprits:
            print(f"{target} fails with {b64encode(each).decode()}")
    failed = (culprits or [b""])[0] if done.returncode else None
    return Outcome(target, int(status[-1][0]), int(status[-1][1]), failed, told)


def _fuzz(target: str, arguments: list[str]) -> None:
    """Hand this process to libFuzzer, which ends it."""
    import atheris

    with atheris.instrument_imports(include=["messaging"]):
        from tests.fuzz.conversation import playing
        from tests.fuzz.targets import TARGETS

    with tempfile.TemporaryDirectory() as folder, playing(Path(folder)) as play:
        run = TARGETS.get(target, play)
        atheris.Setup([sys.argv[0], *arguments], lambda data: run(data) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
