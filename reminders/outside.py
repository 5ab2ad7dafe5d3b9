"""What reminders need of other rooms, joined where the house is wired."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from kernel.outbox import Entry


class Standing(Protocol):
    """What stands against users. Another room knows."""

    def check(self, user_id: UserId, *, issued_at: datetime) -> None:
        """Refuse a user who is blocked, or whose proofs from then count no longer."""
        ...


class Owners(Protocol):
    """Whose devices are whose. Another room knows."""

    async def owner(self, device_id: UUID) -> UserId | None: ...


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message, and its place in its conversation."""

    message_id: UUID
    offset: int
    sent_at: datetime


class Talks(Protocol):
    """Conversations. Another room has them."""

    async def is_in(self, conversation_id: UUID, user_id: UserId) -> bool: ...

    async def say(
        self, user_id: UserId, conversation_id: UUID, body: bytes, *, idempotency_key: str
    ) -> Spoken:
        """Send a message as the user; the same key gives the same message.

        Refuses who is not in the conversation.
        """
        ...


class Live(Protocol):
    """Tells open apps what changed. Another room can.

    What is published to an event's channel is kept for a while, so that who was away can catch
    up; publishing again under a key changes nothing.
    """

    async def tell_user(self, user_id: UserId, said: bytes) -> None:
        """Publish JSON to a user's own channel."""
        ...

    async def tell_event(self, event_id: UUID, said: bytes, *, key: str) -> None:
        """Publish JSON to an event's channel."""
        ...

    def leaving(self, event_id: UUID, user_id: UserId) -> Entry:
        """The outbox entry that ends what a user hears of an event, if they are not in it."""
        ...
