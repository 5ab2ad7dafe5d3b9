"""A node that knows what stands against users, and operators who decide it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Bus
from kernel.clock import Clock, SystemClock
from kernel.identity import Principal, Scope
from kernel.ids import new_id
from kernel.metrics import Metrics
from messaging.adapters.sql_restrictions import SqlRestrictions
from messaging.standing.checks import CheckedTokens, Standing, StandingOptions
from messaging.standing.expulsion import Expulsion
from messaging.standing.sanctions import Sanctions
from tests.support.clock import START
from tests.support.realtime import Node, serving, verifier

OPERATOR = Principal(key_id=new_id(START), scopes=frozenset({Scope.USERS}))


@dataclass
class Guarded:
    """A node, with everything that keeps users out of it."""

    database: Database
    bus: Bus = field(default_factory=MemoryBus)
    clock: Clock = field(default_factory=SystemClock)
    poll_seconds: float = 0.05
    hears: bool = True
    """Whether orders reach it."""
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        store = SqlRestrictions(self.database)
        self.metrics = Metrics()
        self.standing = Standing(
            store,
            clock=self.clock,
            metrics=self.metrics,
            options=StandingOptions(poll_seconds=self.poll_seconds),
        )
        self.tokens = CheckedTokens(verifier(self.clock), self.standing)
        self.node = Node(
            self.database, bus=self.bus, clock=self.clock, tokens=self.tokens, **self.more
        )
        self.expulsion = Expulsion(self.node.hub, clock=self.clock, metrics=self.metrics)
        self.standing.on_change.append(self.expulsion.tell)
        if self.hears:
            self.node.hub.confidants.append(self.standing.take)
        self.sanctions = Sanctions(store, bus=self.bus, clock=self.clock)
        self.sanctions.look_here = self.standing.look


@asynccontextmanager
async def guarding(guarded: Guarded) -> AsyncIterator[Guarded]:
    """Serve the node as the house does: nobody is let in before all is known."""
    await guarded.standing.open()
    workers = [*guarded.node.workers, guarded.standing, guarded.expulsion]
    async with serving(guarded.node, workers=workers):
        yield guarded
