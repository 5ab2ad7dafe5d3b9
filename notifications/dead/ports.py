"""What dead pushes need from the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifications.audit.types import Deed
from notifications.dead.types import DeadPush, DeadQuery, Inquest, Redrive


class DeadPushStore(Protocol):
    """Every method is one whole transaction."""

    async def page(
        self, query: DeadQuery, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[DeadPush]:
        """Dead pushes, the last to die first, from the one before `before` on."""
        ...

    async def inquest(self, push_id: UUID) -> Inquest | None:
        """All that is known of a push, if it is dead."""
        ...

    async def redrive(self, redrive: Redrive, *, deed: Deed, now: datetime) -> Sequence[UUID]:
        """Let dead pushes wait for another attempt, with their class's patience anew; which.

        Those that died first go first. Each keeps its id, its collapse key and the attempts it
        had. What expires before it could be sent stays dead. The deed is recorded if anything
        was done.
        """
        ...
