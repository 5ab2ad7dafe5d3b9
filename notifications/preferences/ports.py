"""What preferences need from the outside. Guarantees here, mechanics in `adapters/`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from kernel.ids import UserId
from notifications.audit.types import Deed
from notifications.deciding.types import ConsentRecord, Ramadan, UserPreferences

Change = Callable[[UserPreferences], UserPreferences]
"""What a user's preferences become: pure, and run inside the transaction that stores them."""


class PreferenceStore(Protocol):
    """What users have said. Every method is one whole transaction."""

    async def of_users(self, user_ids: Collection[UserId]) -> Mapping[UserId, UserPreferences]:
        """The preferences of those who have said anything."""
        ...

    async def change(
        self, user_id: UserId, change: Change, *, deed: Deed, now: datetime
    ) -> UserPreferences:
        """Store what `change` makes of them, with the deed; as they are now.

        Pushes of the user that wait for the end of quiet hours are decided about anew.
        """
        ...

    async def record(self, record: ConsentRecord, change: Change, *, deed: Deed) -> UserPreferences:
        """The same, with an entry in the record of consent."""
        ...

    async def consents(self, user_id: UserId, *, limit: int) -> Sequence[ConsentRecord]:
        """The record of a user's consent, newest first."""
        ...

    async def forget(self, user_ids: Collection[UserId]) -> None:
        """Erase all that users have said, and the record of their consent."""
        ...


class RamadanStore(Protocol):
    """When Ramadan is, as operators know it. Every method is one whole transaction."""

    async def ramadans(self) -> Sequence[Ramadan]:
        """Every year that somebody has dates for, in order."""
        ...

    async def put_ramadan(self, ramadan: Ramadan, *, deed: Deed, now: datetime) -> None:
        """Set the dates of a year."""
        ...

    async def forget_ramadan(self, year: int, *, deed: Deed, now: datetime) -> None:
        """Know no more of a year than the calendar does. What was not known is no deed."""
        ...


class Mutes(Protocol):
    """Who wants to hear nothing of a thread. Another room knows."""

    async def muted(self, pairs: Collection[tuple[str, UserId]]) -> Collection[tuple[str, UserId]]:
        """Those of the threads and users where the user has muted the thread."""
        ...
