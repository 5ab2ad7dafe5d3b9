"""What cards need from the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from reminders.card import Card


class CardStore(Protocol):
    """Which conversation an event has, and where its tasks are spoken of. Every method is one
    whole transaction."""

    async def link(self, event_id: UUID, conversation_id: UUID, *, now: datetime) -> None:
        """Give the event this conversation, in place of an earlier one."""
        ...

    async def unlink(self, event_id: UUID) -> None:
        """Take the event's conversation away; the cards in it stay."""
        ...

    async def conversation(self, event_id: UUID) -> UUID | None: ...

    async def add(self, card: Card) -> None:
        """Keep a card. Keeping the same again changes nothing."""
        ...

    async def of(self, task_id: UUID, *, limit: int) -> Sequence[Card]:
        """The task's cards, the last one first."""
        ...
