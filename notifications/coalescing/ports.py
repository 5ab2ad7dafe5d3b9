"""What coalescing needs from the outside. Guarantees here, mechanics in `adapters/`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Recall, Withdrawal
from notifications.pushes import Notification, Push
from notifications.types import Device

Dismiss = Callable[[Withdrawal, Sequence[Device]], tuple[Notification, Sequence[Push]]]
"""How devices are told to take back what they show: pure, and run inside the transaction."""


class ThreadStore(Protocol):
    """What devices were told of threads. Every method is one whole transaction."""

    async def withdraw(
        self, withdrawals: Sequence[Withdrawal], *, now: datetime, dismiss: Dismiss
    ) -> int:
        """Suppress what waits to be told of what was read, and plan what `dismiss` says for
        devices that may show it; how many pushes were planned.

        What is told of later places stays. Doing it again changes nothing.
        """
        ...

    async def busy(self, user_id: UserId, thread: str) -> Mapping[UUID, datetime]:
        """When each device was last told of a thread, or will be."""
        ...


TakeBack = Callable[[Recall, Mapping[Device, bool]], tuple[Notification, Sequence[Push]]]
"""How devices are told to take a notice back, and whether it is on its way to them still."""


class RecallStore(Protocol):
    """Pushes about notices that somebody has seen to. Every method is one whole transaction."""

    async def recall(self, recalls: Sequence[Recall], *, now: datetime, dismiss: TakeBack) -> int:
        """End what waits, let nothing that is on its way be tried again, and plan what
        `dismiss` says for devices that may show it; how many pushes were planned.

        A notice that comes only later is told to nobody. Doing it again changes nothing.
        """
        ...


class Unread(Protocol):
    """How much users have not read. Another room knows."""

    async def unread(self, user_ids: Collection[UserId]) -> Mapping[UserId, int]:
        """The number for each of those who have any."""
        ...
