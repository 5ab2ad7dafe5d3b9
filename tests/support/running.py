"""A house as operators run it: a process of its own, reached over sockets, killed by signals."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import jwt

from tests.support.servers import free_port

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds until a node must have become ready, or ended."""


PATIENT = {"ZAFFA_CONNECTIONS_PING_SECONDS": "25", "ZAFFA_CONNECTIONS_PONG_SECONDS": "8"}
"""For tests in which nobody is lost: a client on a busy machine is no lost one."""

_SANDBOX_PORTS = ("PAGE", "FCM", "APNS", "APNS_SANDBOX", "WEBPUSH")


@dataclass(slots=True)
class RunningHouse:
    """One node. Its settings are its environment; its output goes to `log`."""

    folder: Path
    port: int
    settings: Mapping[str, str]
    roles: Sequence[str] = ()
    workers: int = 1
    preexec: Callable[[], None] | None = None
    secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    ping_seconds: int = 2
    module: str = "server"
    """What Python runs: our program, or one that takes the same arguments."""
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        roles: Sequence[str] = (),
        preexec: Callable[[], None] | None = None,
        module: str = "server",
        like: "RunningHouse | None" = None,
    ) -> AsyncIterator[Self]:
        """A ready node, ended in the end. `like` is another node of the same cluster."""
        house = cls(
            folder=folder,
            port=free_port(),
            settings=settings or (like.settings if like else {}),
            roles=roles,
            preexec=preexec,
            module=module,
        )
        if like is not None:
            house.secret = like.secret
        house.spawn()
        try:
            await house.ready()
            yield house
        finally:
            await asyncio.to_thread(house.end)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> Path:
        return self.folder / f"node-{self.port}.log"

    def environment(self) -> dict[str, str]:
        """The settings of this node, over the environment of the tests."""
        inherited = {name: value for name, value in os.environ.items() if "ZAFFA" not in name}
        return {
            **inherited,
            "ZAFFA_DATABASE_URL": f"sqlite:///{self.folder / 'zaffa.sqlite3'}",
            "ZAFFA_TOKENS_HMAC_KEYS": f"test:{self.secret}",
            "ZAFFA_SANDBOX_DIRECTORY": str(self.folder / "sandbox"),
            **{f"ZAFFA_SANDBOX_{port}_PORT": "0" for port in _SANDBOX_PORTS},
            "ZAFFA_CONNECTIONS_PING_SECONDS": str(self.ping_seconds),
            "ZAFFA_CONNECTIONS_PONG_SECONDS": "1",
            "ZAFFA_SERVER_DRAIN_SPREAD_SECONDS": "0.2",
            # Tests begin when they do.
            "ZAFFA_CAMPAIGNS_BESIDE_QUARTERS": "false",
            **self.settings,
        }

    def spawn(self) -> None:
        """Start the process, again if it was killed, on the same port and data."""
        more = [part for role in self.roles for part in ("--role", role)]
        if self.workers > 1:
            more += ["--workers", str(self.workers)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "serve", "--port", str(self.port), *more],
                cwd=self.folder,
                env={**self.environment(), "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self.preexec,
            )

    async def ready(self) -> None:
        """Wait until the node says that it is; what it logged if it does not."""
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    async with session.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        raise AssertionError(f"the node did not become ready:\n{self.log.read_text()[-4000:]}")

    def kill(self) -> None:
        """kill -9: nothing is finished, nothing is said."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """SIGTERM, and wait; the exit code. Fails if the node does not end by itself."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the node did not end:\n{self.log.read_text()[-4000:]}") from None

    def token(self, user: str, *, seconds: float = 3600, **more: Any) -> str:
        """A token for a user, as the application's own back end would sign it.

        For access, unless `more` claims make it one for something else.
        """
        claims = {"sub": user, "exp": int(time.time() + seconds), **more}
        return jwt.encode(claims, self.secret, algorithm="HS256", headers={"kid": "test"})

    async def call(
        self, method: str, path: str, *, user: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        """Ask the client gateway as a user; the JSON answer. Raises for a refusal."""
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.url}{path}", json=body, headers=headers) as answer,
        ):
            told = await answer.json(content_type=None)
            if answer.status >= 400:
                raise AssertionError(f"{method} {path}: {answer.status} {told}")
            return told

    async def group(self, owner: str, *others: str) -> str:
        """A conversation of these users; its id."""
        body = {"kind": "group", "title": "الزفّة", "user_ids": list(others)}
        opened = await self.call("POST", "/v1/conversations", user=owner, body=body)
        return str(opened["id"])

    async def remove_member(self, conversation: str, user: str, *, by: str) -> None:
        await self.call("DELETE", f"/v1/conversations/{conversation}/members/{user}", user=by)
