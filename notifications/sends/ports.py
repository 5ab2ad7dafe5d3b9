"""What sends need from the outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from notifications.audit.types import Deed
from notifications.pushes import PushState
from notifications.sends.limits import Excess
from notifications.sends.types import Draft, Portion, Send, SentPush, Tally


class SendStore(Protocol):
    """Sends and how far they got. Every method is one whole transaction."""

    async def submit(self, drafts: Sequence[Draft], *, now: datetime) -> Sequence[bool]:
        """Keep drafts whose keys are new, with all that belongs to them.

        For each, whether its key means this very request: False if it was used for another.
        """
        ...

    async def owners(self, device_ids: Sequence[UUID]) -> Mapping[UUID, UserId]:
        """Whose devices these are, as far as there are such devices."""
        ...

    async def has_app(self, app_id: str) -> bool:
        """Whether there is such an app."""
        ...

    async def expand(self, *, now: datetime, limit: int) -> int:
        """Hand on one send's next users of its list; how many users, at least 1 if it moved.

        Handing on and the cursor are one transaction, so a crash repeats and skips nobody.
        Whoever was put on the list after the send came is left out.
        """
        ...

    async def cancel(self, send_id: UUID, *, now: datetime, deed: Deed) -> Send | None:
        """Let nothing more of a send leave; as it is now, or None if there is none.

        From then on no push of it is planned or claimed. A second time changes nothing.
        """
        ...

    async def stop(self, *, now: datetime, limit: int) -> int:
        """End waiting pushes of cancelled sends; how many."""
        ...

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Delete old sends of which no notification is kept any more; how many."""
        ...


class SendLimits(Protocol):
    """How much may be asked at once. It never raises and never waits long."""

    async def take(
        self, key_id: UUID, sends: Sequence[Sequence[UserId]]
    ) -> Sequence[Excess | None]:
        """For each of a key's sends to these users, in order, why it is too much, if it is.

        What is taken counts at once; nothing does of what is too much.
        """
        ...


class SendLedger(Protocol):
    """What is asked about sends. Every method is one whole transaction."""

    async def get(self, send_id: UUID) -> Send | None: ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Send]:
        """Sends, newest first, from the one before `before` on."""
        ...

    async def tally(self, send_id: UUID) -> Tally: ...

    async def pushes(
        self, send_id: UUID, *, states: Collection[PushState], after: UUID | None, limit: int
    ) -> Sequence[SentPush]:
        """Pushes of a send in these states (none means any), by id, after one."""
        ...


class CensusStore(Protocol):
    """Counts the devices of a list. Every method is one whole transaction."""

    async def portion(
        self,
        list_id: str,
        *,
        after: str,
        limit: int,
        category: str,
        consent: str,
        stale_before: datetime,
        muted: Collection[UserId] = (),
    ) -> Portion | None:
        """The next users of a list by name and how many devices of each kind they have, as far
        as kinds matter to the category and to the consent it needs; None if there are no more.

        Who is `muted` has muted what it is about.
        """
        ...


class ListStore(Protocol):
    """Users kept under a name. Every method is one whole transaction."""

    async def replace(
        self, list_id: str, user_ids: Sequence[UserId], *, now: datetime, deed: Deed
    ) -> int:
        """Make a list of exactly these users; how many there are now."""
        ...

    async def change(
        self,
        list_id: str,
        *,
        add: Sequence[UserId] = (),
        remove: Sequence[UserId] = (),
        now: datetime,
        deed: Deed,
    ) -> int | None:
        """Add and remove users; how many there are now, or None if there is no such list."""
        ...

    async def delete(self, list_id: str, *, now: datetime, deed: Deed) -> bool:
        """Forget a list; whether there was one."""
        ...

    async def size(self, list_id: str) -> tuple[int, datetime] | None:
        """How many users a list has and when it changed last; None if there is none."""
        ...

    async def all(self) -> Sequence[tuple[str, datetime]]:
        """Every list's name and when it changed last, by name."""
        ...

    async def users(self, list_id: str, *, after: str, limit: int) -> Sequence[UserId]:
        """Users of a list by name, after one."""
        ...
