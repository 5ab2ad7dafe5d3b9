"""What all rooms stand on, and where they leave what the house shall run."""

from collections.abc import Awaitable, Callable
from functools import partial
from uuid import uuid4

from redis.asyncio import Redis, RedisCluster

from kernel.adapters.bus_wakes import BusWakes
from kernel.adapters.database import Database
from kernel.adapters.database_clock import DatabaseClock
from kernel.adapters.jwt import JwtVerifier
from kernel.adapters.long_transactions import LongTransactions
from kernel.adapters.memory_bus import MemoryBus
from kernel.adapters.postgres_wakes import PostgresWakes
from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_client import RedisClient
from kernel.adapters.sql_api_keys import SqlApiKeys
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.bus import Bus
from kernel.clock import Clock, SystemClock
from kernel.metrics import Metrics
from kernel.operations import AnyOperation
from kernel.outbox import Handler
from kernel.waking import Waking
from kernel.workers import Pulse, Worker
from server.house import Part
from server.rates import Rates
from server.roles import ServerRole
from server.wiring.groups import Settings

Close = Callable[[], Awaitable[None]]


class OpenedPart:
    """Makes a part of something that only needs opening, or only closing."""

    def __init__(self, *, open: Close | None = None, close: Close | None = None) -> None:
        self._open = open
        self._close = close

    async def open(self) -> None:
        if self._open is not None:
            await self._open()

    async def close(self) -> None:
        if self._close is not None:
            await self._close()


class Ground:
    """The kernel's ports, met; and what the rooms contribute to the house."""

    def __init__(
        self, settings: Settings, roles: frozenset[ServerRole], *, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.roles = roles
        self.node_id = uuid4().hex
        """What other nodes call this process."""
        self.metrics = Metrics()
        self.database = Database(settings.database)
        shared = DatabaseClock(SystemClock(), self.database, self.metrics)
        self.clock: Clock = clock or shared
        """What all nodes agree on: nothing must happen before its time because one is fast."""
        self.outbox = SqlOutbox(self.database, self.clock)
        self.api_keys = SqlApiKeys(self.database, self.clock)
        self.callers = Rates(
            clock=self.clock,
            rate=settings.server.requests_per_second,
            burst=settings.server.requests_burst,
        )
        """How often users and servers may ask, and servers wherever they do."""
        self.tokens = JwtVerifier(settings.tokens, self.clock)
        self.subscription_tokens = self.tokens
        if settings.subscription_tokens.has_keys:
            self.subscription_tokens = JwtVerifier(settings.subscription_tokens, self.clock)
        self.bus: Bus = MemoryBus()
        self.redis: Redis | RedisCluster | None = None
        """What is kept in Redis goes through this client; what is told, through the bus."""
        self.relaying = Pulse()
        """Beats when something was put into the outbox by this process."""
        self.workers: list[Worker] = []
        self.parts: list[Part] = [
            OpenedPart(open=each.open) for each in {self.tokens, self.subscription_tokens}
        ]
        if self.clock is shared and not self.database.is_sqlite:
            self.parts.append(OpenedPart(open=shared.open))
            self.workers.append(shared)
        if settings.redis.url:
            self.bus = RedisBus(settings.redis, clock=self.clock, metrics=self.metrics)
            client = RedisClient(settings.redis)
            self.redis = client.redis
            self.closes(client.close)
        alone = self.database.is_sqlite
        by_bus = alone or self.redis is not None
        self.waking = Waking(
            BusWakes(self.bus) if by_bus else PostgresWakes(self.database, self.clock),
            node_id=self.node_id,
            clock=self.clock,
            metrics=self.metrics,
        )
        """Wakes workers of other processes, where there can be any."""
        if not alone:
            watch = LongTransactions(self.database, self.clock, self.metrics)
            self.workers += [self.waking, watch]
        self.handlers: dict[str, Handler] = {}
        self.operations: list[AnyOperation] = []

    def works_as(self, role: ServerRole) -> bool:
        """Whether this process has the role."""
        return role in self.roles

    def closes(self, close: Close) -> None:
        """Call this when the house closes, after the workers have ended."""
        self.parts.append(OpenedPart(close=partial(close)))
