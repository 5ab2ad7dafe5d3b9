"""A cluster as operators run it: a sandbox, gateways and a worker node, each a process."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

import aiohttp

from notifications.adapters.apns import ApnsOptions
from notifications.adapters.fcm import FcmOptions
from notifications.sandbox.options import SandboxOptions
from server import migrations
from server.wiring.providers import sandboxed
from tests.support.running import PATIENCE, ROOT, RunningHouse
from tests.support.servers import free_port

WORK = ("relay", "dispatcher", "scheduler")
"""The roles of a node without connections."""


@dataclass(slots=True)
class RunningSandbox:
    """`zaffa sandbox run`, with the settings that make a node send its pushes there."""

    folder: Path
    ports: Mapping[str, int] = field(
        default_factory=lambda: {
            name: free_port() for name in ("page", "fcm", "apns", "apns_sandbox", "webpush")
        }
    )
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    @asynccontextmanager
    async def start(cls, folder: Path) -> AsyncIterator[Self]:
        """A sandbox that answers, ended in the end."""
        sandbox = cls(folder)
        try:
            await asyncio.to_thread(sandbox.spawn)
            await sandbox.answers()
            yield sandbox
        finally:
            if sandbox.process is not None:
                sandbox.process.terminate()
                sandbox.process.wait(PATIENCE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['page']}"

    @property
    def log(self) -> Path:
        return self.folder / "sandbox.log"

    def spawn(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "server", "sandbox", "run"],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def settings(self) -> Mapping[str, str]:
        """What `zaffa sandbox --init` tells operators to set."""
        options = SandboxOptions(
            directory=str(self.folder / "sandbox"),
            **{f"{name}_port": port for name, port in self.ports.items()},
        )
        fcm, apns = sandboxed(options, fcm=FcmOptions(), apns=ApnsOptions())
        set_here = {
            f"ZAFFA_{group}_{each.name.upper()}": str(getattr(made, each.name))
            for group, made, default in (("FCM", fcm, FcmOptions()), ("APNS", apns, ApnsOptions()))
            for each in fields(made)
            if getattr(made, each.name) != getattr(default, each.name)
        }
        return {"ZAFFA_SERVER_PUSH": "providers", **set_here}

    async def answers(self) -> None:
        """Wait until it does; what it wrote if it does not."""
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    async with session.get(f"{self.url}/status") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        raise AssertionError(f"the sandbox did not come up:\n{self.log.read_text()[-4000:]}")

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if "ZAFFA" not in name}
        ports = {
            f"ZAFFA_SANDBOX_{name.upper()}_PORT": str(port) for name, port in self.ports.items()
        }
        directory = str(self.folder / "sandbox")
        return {
            **inherited,
            **ports,
            "ZAFFA_SANDBOX_DIRECTORY": directory,
            "PYTHONPATH": str(ROOT),
        }


@dataclass(slots=True)
class RunningCluster:
    """Nodes on one PostgreSQL and one Valkey, with a sandbox of their own."""

    gateways: Sequence[RunningHouse]
    worker: RunningHouse
    sandbox: RunningSandbox

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        folder: Path,
        *,
        database_url: str,
        redis_url: str,
        gateways: int = 2,
        settings: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Self]:
        """A cluster that is ready, on a database without tables."""
        async with AsyncExitStack() as opened:
            sandbox = await opened.enter_async_context(RunningSandbox.start(folder))
            given = {
                "ZAFFA_DATABASE_URL": database_url,
                "ZAFFA_REDIS_URL": redis_url,
                **sandbox.settings(),
                **(settings or {}),
            }
            await migrations.upgrade(database_url)
            first = RunningHouse(folder, free_port(), given, roles=["gateway"])
            others = [
                RunningHouse(folder, free_port(), given, roles=["gateway"], secret=first.secret)
                for _ in range(gateways - 1)
            ]
            worker = RunningHouse(folder, free_port(), given, roles=WORK, secret=first.secret)
            nodes = [first, *others, worker]
            for node in nodes:
                opened.push_async_callback(ended, node)
                node.spawn()
            await asyncio.gather(*(node.ready() for node in nodes))
            yield cls([first, *others], worker, sandbox)


async def ended(node: RunningHouse) -> None:
    """End a node in order, unless it was killed already."""
    if node.process is not None:
        await asyncio.to_thread(node.end)
