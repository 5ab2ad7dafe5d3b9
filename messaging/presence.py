"""Who is connected now, and whether a push to them would be noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.options import option
from kernel.workers import Pulse, Stop, repeat
from messaging.ports import PresenceRegistry
from messaging.types import Presence


@dataclass(frozen=True, slots=True)
class PresenceOptions:
    """How fast a node that died is noticed."""

    ttl_seconds: float = option(
        6.0, "After how long without a sign of life the connections of a node count as gone."
    )
    renew_seconds: float = option(2.0, "Seconds between a node's signs of life.")

    def __post_init__(self) -> None:
        if not 0 < self.renew_seconds < self.ttl_seconds:
            raise ValueError("renew_seconds must be above 0 and below ttl_seconds")


class Presences:
    """Answers who is there. A user with any connection is looking, on whatever node it is."""

    def __init__(self, registry: PresenceRegistry) -> None:
        self._registry = registry

    async def looking(self, user_ids: Sequence[UserId]) -> frozenset[UserId]:
        """Which of them are looking right now: a push to them would be noise."""
        return await self._registry.present(user_ids)

    async def connections(self, user_ids: Sequence[UserId]) -> Mapping[str, Presence]:
        """The connections of these users, by client id."""
        return await self._registry.connections(user_ids)


class PresenceKeeper:
    """Tells the registry who comes and goes, and that this node is alive.

    Connections never wait for the registry: what they say is written down and carried over by
    this worker, in one go for all of them, and again when the registry could not be reached.
    """

    name = "presence"

    def __init__(
        self, registry: PresenceRegistry, *, clock: Clock, options: PresenceOptions
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._options = options
        self._pulse = Pulse()
        self._entered: dict[str, Presence] = {}
        self._left: dict[str, Presence] = {}
        self._renewed_at = float("-inf")

    def entered(self, connection: Presence) -> None:
        """A connection of this node begins."""
        self._entered[connection.client] = connection
        self._pulse.beat()

    def left(self, connection: Presence) -> None:
        """A connection of this node is over."""
        if self._entered.pop(connection.client, None) is None:
            self._left[connection.client] = connection
            self._pulse.beat()

    async def run(self, stop: Stop) -> None:
        await repeat(
            self.step,
            clock=self._clock,
            stop=stop,
            idle=self._options.renew_seconds,
            pulse=self._pulse,
        )

    async def step(self) -> int:
        """Carry over who came and went; how many."""
        now = self._clock.monotonic()
        if now - self._renewed_at >= self._options.renew_seconds:
            await self._registry.renew()
            self._renewed_at = now
        entered, left = list(self._entered.values()), list(self._left.values())
        if entered:
            await self._registry.enter(entered)
        for each in entered:
            # One that left while it was being entered was not written down as left.
            if self._entered.pop(each.client, None) is None:
                self._left[each.client] = each
        if left:
            await self._registry.leave(left)
        for each in left:
            self._left.pop(each.client, None)
        return len(entered) + len(left)
