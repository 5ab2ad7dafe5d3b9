"""What calendar feeds need from the outside."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from reminders.feeds.types import Chapter, Feed, Reading


class FeedStore(Protocol):
    """Who may read which calendar by which secret. Every method is one whole transaction."""

    async def issue(self, feed: Feed, *, secret_hash: bytes, limit: int) -> bool:
        """Keep a feed in place of the one that its user has of the same event, whose secret
        then opens nothing. False, and nothing is kept, if the user has `limit` others."""
        ...

    async def of_user(self, user_id: UserId) -> Sequence[Feed]:
        """A user's feeds, the one issued last first."""
        ...

    async def revoke(self, feed_id: UUID, *, owner: UserId) -> bool:
        """End a feed of the owner's; whether there was one."""
        ...

    async def reading(self, secret_hash: bytes, *, events: int) -> Reading | None:
        """The feed that a secret opens, with at most so many events: those whose day is last.

        None if there is none, or if its user is not in its event any more.
        """
        ...

    async def chapters(self, reading: Reading, *, tasks: int) -> Sequence[Chapter]:
        """Its events with their tasks that are not deleted, at most so many, as they are now."""
        ...
