"""What local alarms need from the outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from reminders.alarm import AlarmSync
from reminders.firing import DueFiring


class AlarmStore(Protocol):
    """What devices hold of their users' reminders. Every method is one whole transaction.

    Whatever moves, adds or removes what a device may hold says so to it, once until it asks
    again.
    """

    async def coming(self, user_id: UserId, *, after: datetime, limit: int) -> Sequence[DueFiring]:
        """The user's waiting firings with what is true about them, the next first."""
        ...

    async def ask(self, device_id: UUID, user_id: UserId, *, until: datetime) -> None:
        """The user's device asks what comes until then: it is told of changes from here on, also
        of those that come before it acknowledges what it will be given."""
        ...

    async def hold(self, sync: AlarmSync) -> None:
        """Keep what a device holds, in place of what it held before. What it was told since it
        asked still stands."""
        ...

    async def release(self, device_id: UUID, user_id: UserId) -> None:
        """Keep nothing of the user's device."""
        ...

    async def syncs(self, user_ids: Collection[UserId]) -> Mapping[UUID, AlarmSync]:
        """What the users' devices hold, those that can still be believed."""
        ...

    async def forget_syncs(self, *, limit: int) -> int:
        """Forget what cannot be believed any more and was until now at most; how many, `limit` at
        most."""
        ...
