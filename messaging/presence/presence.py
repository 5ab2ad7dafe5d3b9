"""Who is connected now, and whether a push to them would be noise."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.options import option
from kernel.workers import Pulse, Stop, repeat
from messaging.ports import ChannelPresenceRegistry, PresenceRegistry
from messaging.types import ChannelMember, Presence

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


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


class Registry(Protocol[T_contra]):
    """Where a keeper carries what it is told."""

    async def enter(self, entries: Sequence[T_contra], /) -> None: ...

    async def leave(self, entries: Sequence[T_contra], /) -> None: ...

    async def renew(self) -> None: ...


class Keeper(Generic[T]):
    """Tells a registry who comes and goes, and that this node is alive.

    Connections never wait for the registry: what they say is written down and carried over by
    this worker, in one go for all of them, and again when the registry could not be reached.
    `key` tells entries apart; who comes back under the same key replaces what was there.
    """

    def __init__(
        self,
        registry: Registry[T],
        *,
        name: str,
        key: Callable[[T], Hashable],
        clock: Clock,
        options: PresenceOptions,
    ) -> None:
        self.name = name
        self._registry = registry
        self._key = key
        self._clock = clock
        self._options = options
        self._pulse = Pulse()
        self._entered: dict[Hashable, T] = {}
        self._left: dict[Hashable, T] = {}
        self._renewed_at = float("-inf")

    def entered(self, entry: T) -> None:
        """Something of this node begins."""
        key = self._key(entry)
        self._left.pop(key, None)
        self._entered[key] = entry
        self._pulse.beat()

    def left(self, entry: T) -> None:
        """It is over."""
        key = self._key(entry)
        self._entered.pop(key, None)
        self._left[key] = entry
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
        entered, left = dict(self._entered), dict(self._left)
        if entered:
            await self._registry.enter(list(entered.values()))
            _settle(self._entered, entered)
        if left:
            await self._registry.leave(list(left.values()))
            _settle(self._left, left)
        return len(entered) + len(left)


def connection_keeper(
    registry: PresenceRegistry, *, clock: Clock, options: PresenceOptions
) -> Keeper[Presence]:
    """The keeper of who is connected."""
    return Keeper(
        registry, name="presence", key=lambda each: each.client, clock=clock, options=options
    )


def channel_keeper(
    registry: ChannelPresenceRegistry, *, clock: Clock, options: PresenceOptions
) -> Keeper[ChannelMember]:
    """The keeper of who is subscribed to channels."""
    return Keeper(
        registry,
        name="channel-presence",
        key=lambda each: (each.channel, each.client),
        clock=clock,
        options=options,
    )


def _settle(waiting: dict[Hashable, T], done: Mapping[Hashable, T]) -> None:
    """Forget what was carried over, but not what was said again meanwhile."""
    for key, entry in done.items():
        if waiting.get(key) is entry:
            del waiting[key]
