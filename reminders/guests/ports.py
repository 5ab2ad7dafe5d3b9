"""What guests need from the outside. Inviting and answering are changes of the calendar."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from kernel.paging import Page
from reminders.guest import Answer, Guest, Invitation


class GuestStore(Protocol):
    """Every method is one whole transaction."""

    async def guest(self, guest_id: UUID) -> Guest | None:
        """One invitation."""
        ...

    async def invitation(self, guest_id: UUID) -> Invitation | None:
        """One invitation with all that decides whether the guest is asked."""
        ...

    async def guests_of(
        self, event_id: UUID, part: str, *, cursor: str | None, limit: int
    ) -> Page[Guest]:
        """Who is invited to a part, always in the same order."""
        ...

    async def answers(self, event_id: UUID) -> Mapping[str, Mapping[Answer, int]]:
        """How many gave each answer, by part."""
        ...

    async def opt_out(self, user_id: UserId, event_id: UUID, *, now: datetime) -> None:
        """Have a user asked no more: in an event, or `EVERYWHERE`. Doing so twice is harmless."""
        ...
