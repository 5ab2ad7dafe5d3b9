"""The house: everything one node consists of, and the order in which it opens and closes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.routing import BaseRoute
from starlette.websockets import WebSocket

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.identity import ApiKeys, TokenVerifier
from kernel.metrics import Metrics
from kernel.operations import AnyOperation
from kernel.supervisor import Supervisor
from messaging.api.calls import ServerApi
from server.failures import CannotStart
from server.health import Check
from server.migrations import SchemaState
from server.options import ServerOptions
from server.rates import Rates

log = logging.getLogger(__name__)


class Storage(Protocol):
    """The database, as far as opening and closing a house goes."""

    async def check(self) -> None:
        """Raises `Unavailable` if the database does not answer."""
        ...

    async def close(self) -> None: ...


class Part(Protocol):
    """Something else that is opened before the work begins, and closed after it ends."""

    async def open(self) -> None:
        """Raises `OSError` or `ValueError` for a file, a key or an address it cannot use."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Hints:
    """What a newcomer can try, for the first page and the last lines of `zaffa serve --demo`."""

    chats: Sequence[tuple[str, str]] = ()
    """A seeded user, and the command that chats as that user."""
    pushes: str = ""
    """Where pushes arrive: a command or an address."""


@dataclass(kw_only=True)
class House:
    """One node. Building it does no I/O; `running` opens it and closes it in order."""

    options: ServerOptions
    clock: Clock
    metrics: Metrics
    database: Storage
    schema: Callable[[], Awaitable[SchemaState]]
    bus: Bus
    tokens: TokenVerifier
    api_keys: ApiKeys
    callers: Rates
    """What each of them asked lately."""
    operations: Sequence[AnyOperation]
    websocket: Callable[[WebSocket], Awaitable[None]] | None
    """The endpoint of connections; None where this process takes none."""
    disconnect_all: Callable[[float], Coroutine[Any, Any, None]]
    """Tell every connection to reconnect elsewhere, spread over so many seconds."""
    supervisor: Supervisor
    streams: Sequence[BaseRoute] = ()
    """The other paths on which clients connect, and speak."""
    upgrade: Callable[[bytes, asyncio.Transport, set[Any]], bool] | None = None
    """Takes a connection that began with a usual handshake, without ASGI, and says whether."""
    parts: Sequence[Part] = ()
    api: ServerApi | None = None
    """What the application's own servers may ask of channels and connections."""
    hints: Hints = field(default_factory=Hints)
    origins: Sequence[str] = ()
    """Origins of web pages that may call the HTTP API from elsewhere; `*` for all."""
    shared_port: int = 0
    """The port that several nodes listen on; 0 when this node is alone on its port."""
    draining: bool = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open: database, bus, the other parts, workers. Close in reverse.

        Raises `Unavailable`, `SchemaOutdated` or `CannotStart` when it cannot work; what was
        opened by then is closed again.
        """
        async with AsyncExitStack() as opened:
            opened.push_async_callback(self.database.close)
            await self.database.check()
            (await self.schema()).demand()
            await self.bus.open()
            opened.push_async_callback(self.bus.close)
            for part in self.parts:
                await _open(part)
                opened.push_async_callback(part.close)
            async with asyncio.TaskGroup() as group:
                working = group.create_task(self.supervisor.run(), name="supervisor")
                try:
                    yield
                finally:
                    # Also when the work failed: steps are finished, not cut off.
                    self.supervisor.stop()
                    _, late = await asyncio.wait(
                        {working}, timeout=self.options.drain_limit_seconds
                    )
                    if late:
                        log.error(
                            "workers did not end in time",
                            extra={"workers": ",".join(sorted(self.supervisor.working))},
                        )
                        working.cancel()

    def checks(self) -> Mapping[str, Check]:
        """What /readyz asks."""
        return {
            "database": self._database_answers,
            "schema": self._schema_is_current,
            "bus": self._bus_answers,
            "workers": self._workers_work,
        }

    async def _database_answers(self) -> str:
        await self.database.check()
        return ""

    async def _schema_is_current(self) -> str:
        state = await self.schema()
        if state.is_current:
            return ""
        return f"the schema is at {state.current}, this release needs {state.head}"

    async def _bus_answers(self) -> str:
        return "" if await self.bus.healthy() else "the bus does not answer"

    async def _workers_work(self) -> str:
        failing = sorted(self.supervisor.failing)
        return "failing: " + ", ".join(failing) if failing else ""


async def _open(part: Part) -> None:
    try:
        await part.open()
    except (OSError, ValueError) as error:
        raise CannotStart(
            f"{type(part).__name__} cannot start: {error}\n"
            "`zaffa doctor` looks at everything the settings point to."
        ) from error
