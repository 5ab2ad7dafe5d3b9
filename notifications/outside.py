"""What notifications need of other rooms, joined where the house is wired."""

from collections.abc import Collection, Mapping
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId


class Alarms(Protocol):
    """What devices show by themselves. Another room knows."""

    async def held(
        self, user_ids: Collection[UserId]
    ) -> Mapping[UserId, Mapping[UUID, Collection[str]]]:
        """The alarms on the devices of those of the users who have any."""
        ...
