"""What notifications need from the outside. Guarantees here, mechanics in `adapters/`."""

from collections.abc import Sequence
from typing import Protocol

from kernel.ids import UserId
from notifications.types import AddressKind, Attempt, Outcome


class PushProvider(Protocol):
    """Carries pushes to devices: FCM, APNs.

    One call is one attempt per push: no retry inside, no sleep, an answer within the
    deadline. It never raises for what a provider, the network or a peer did.
    """

    @property
    def name(self) -> str:
        """ "fcm", "apns": for metrics and logs."""
        ...

    @property
    def carries(self) -> frozenset[AddressKind]: ...

    async def open(self) -> None:
        """Get ready to send; does not need the provider to be reachable."""
        ...

    async def close(self) -> None: ...

    async def send(self, attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        """Send all of them, as many at once as the provider lets us; outcomes in order."""
        ...


class Reachability(Protocol):
    """Whether a push would be noise because the user is looking right now."""

    async def looking(self, user_ids: Sequence[UserId]) -> frozenset[UserId]: ...
