"""What the rules of zones were when plans were made from them: the value, and its port."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ZoneState:
    """What the rules of a zone were: from `since` on they had this fingerprint."""

    zone: str
    since: date
    fingerprint: bytes
    version: str


class ZoneStore(Protocol):
    """Which zones plans are made from, and what their rules were then. Every method is one
    whole transaction."""

    async def zones(self) -> Collection[str]:
        """The zones that plans may be made from."""
        ...

    async def zone_states(self) -> Sequence[ZoneState]:
        """What the rules were when plans were last made from them."""
        ...

    async def put_zone_states(
        self, states: Sequence[ZoneState], *, changed: Collection[str], now: datetime
    ) -> int:
        """Store the states, and mark every plan that one of the `changed` zones is part of.

        How many plans were marked.
        """
        ...
