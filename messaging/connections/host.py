"""What a connection needs of its node."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from kernel.clock import Clock
from messaging.connections.quotas import ConnectionOptions
from messaging.connections.rates import ConnectionRates
from messaging.connections.wheel import TimerWheel
from messaging.protocol.frames import Command
from messaging.protocol.server import Rules

if TYPE_CHECKING:
    from messaging.connections.connection import Connection


class Host(Protocol):
    """What a connection needs of its node."""

    clock: Clock
    wheel: TimerWheel
    options: ConnectionOptions
    rules: Rules
    rates: ConnectionRates | None

    def overlaps(self, method: str) -> bool:
        """Whether calls of a method may run beside each other, and still keep their order."""
        ...

    def at_once(self, connection: "Connection", command: Command) -> bool:
        """Do what a command asks if nothing must be waited for; otherwise False, and `handle`."""
        ...

    def handle(self, connection: "Connection", command: Command) -> Coroutine[Any, Any, None]:
        """Do what a command asks, and answer it."""
        ...

    def failed(self, connection: "Connection", command: Command, error: BaseException) -> None:
        """Answer a command whose handling raised."""
        ...

    def expired(self, connection: "Connection", channel: str) -> None:
        """A subscription was not refreshed in time. Must not wait."""
        ...

    def vanished(self, connection: "Connection") -> None:
        """Nothing was heard of the client for too long; it `ended` then. Must not wait."""
        ...

    def ended(self, connection: "Connection") -> None:
        """The connection is over. Called once, and must not wait."""
        ...
