"""What messaging needs of other rooms, joined where the house is wired."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from messaging.ports import Membership


class Gatherings(Protocol):
    """Who is in events. Another room knows."""

    async def present(self, pairs: Collection[Membership]) -> Collection[Membership]:
        """Which of these users are in these events."""
        ...

    async def users_in(self, event_ids: Sequence[UUID]) -> Mapping[UUID, Collection[UserId]]:
        """Everybody who is in each event."""
        ...
