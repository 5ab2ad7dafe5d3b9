"""What digests need from the outside."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from kernel.ids import UserId
from reminders.digests.agenda import Agenda, Turned
from reminders.person import Ramadan


class DigestStore(Protocol):
    """Whose turn it is, and what there is to tell. Every method is one whole transaction."""

    async def take_turns(
        self,
        turned: Callable[[Agenda], Turned],
        *,
        ramadans: Sequence[Ramadan],
        now: datetime,
        limit: int,
    ) -> Sequence[str]:
        """Take turns that have come, the longest due first; what became of each.

        Each is taken by one caller only. What `turned` says of it is stored at once: the next
        turn, the entry, and that what it tells was told.
        """
        ...

    async def agenda(
        self, user_id: UserId, *, ramadans: Sequence[Ramadan], now: datetime
    ) -> Agenda | None:
        """What a user's digest would be made from now; None for who is in no event."""
        ...

    async def forget(self, *, before: datetime, limit: int) -> int:
        """Forget what was told before then, what waits for a digest since before and was never
        told, and the days that pushes were counted for; how many, of each `limit` at most."""
        ...
