"""What the standing of users needs from the outside: guarantees here, mechanics in `adapters/`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from kernel.ids import UserId
from kernel.outbox import Entry
from kernel.paging import Page
from messaging.standing.restrictions import Restriction, RestrictionKind


class Change(NamedTuple):
    """A restriction as it became with a revision."""

    revision: int
    restriction: Restriction


class RestrictionStore(Protocol):
    """What stands against users and tokens. Every method is one whole transaction.

    Each change has a revision of its own, and revisions are committed in their order: whoever
    has read all changes up to one of them never finds another one before it.
    """

    async def impose(self, restriction: Restriction) -> None:
        """Let it stand, in place of one with the same kind, subject and channel."""
        ...

    async def lift(
        self, kind: RestrictionKind, subject: str, *, channel: str = "", now: datetime
    ) -> bool:
        """End what stands; whether anything did."""
        ...

    async def standing(
        self, kind: RestrictionKind, subject: str, *, channel: str = "", now: datetime
    ) -> Restriction | None: ...

    async def all(
        self, kind: RestrictionKind, *, cursor: str | None, limit: int, now: datetime
    ) -> Page[Restriction]:
        """Everything of a kind that stands, by subject."""
        ...

    async def changes(self, *, after: int, limit: int) -> Sequence[Change]:
        """The changes after a revision, oldest first; a restriction is told as it is now."""
        ...

    async def prune(self, *, ended_before: datetime, limit: int) -> int:
        """Remove what ended before an instant; how many were removed."""
        ...


class Recorded(NamedTuple):
    """What is kept of a user's comings and goings."""

    last_seen_at: datetime | None = None
    active_at: datetime | None = None


Obituary = Callable[[Collection[UserId], datetime], Sequence[Entry]]
"""What follows from the death of a node: of its users, and of its last sign of life. Pure."""


class StatusStore(Protocol):
    """When users were last there. Every method is one whole transaction.

    Instants never go back, whatever the order in which nodes write.
    """

    async def arrived(self, node: str, at: Mapping[UserId, datetime]) -> None:
        """Users have connections at a node since then, until `departed` or the node's death."""
        ...

    async def departed(self, node: str, at: Mapping[UserId, datetime]) -> None:
        """Users have no connection at a node any more: they were last seen there then."""
        ...

    async def renew(self, node: str, at: datetime) -> bool:
        """A node is there, and with it everybody who arrived at it.

        Returns whether it was known: one that was buried, or never had anybody, must tell anew
        who is there.
        """
        ...

    async def bury(self, *, before: datetime, limit: int, now: datetime, then: Obituary) -> int:
        """Let users depart from nodes whose last sign of life is older; how many users did.

        They were last seen with the last sign of life. The entries of `then` are written with it.
        """
        ...

    async def active(self, at: Mapping[UserId, datetime]) -> None:
        """Users were active."""
        ...

    async def recorded(self, user_ids: Collection[UserId]) -> Mapping[UserId, Recorded]:
        """What is kept of those of whom something is.

        Whoever is at a node counts as seen with its last sign of life.
        """
        ...

    async def forget(self, user_ids: Collection[UserId]) -> None:
        """Remove all that is kept of them."""
        ...


class Acquaintances(Protocol):
    """Who has to do with whom."""

    async def of(self, user_id: UserId, others: Collection[UserId]) -> Collection[UserId]:
        """Those of `others` who share a conversation with the user."""
        ...
