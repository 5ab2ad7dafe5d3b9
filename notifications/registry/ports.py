"""What the register of devices needs from the outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from notifications.audit.types import Deed
from notifications.registry.types import (
    Arrival,
    Cleaned,
    Cleaning,
    DeviceCount,
    DeviceQuery,
    Imported,
    SentPush,
)
from notifications.types import Device


class DeviceRegistry(Protocol):
    """Devices in any number. Every method is one whole transaction."""

    async def page(self, query: DeviceQuery, *, after: UUID | None, limit: int) -> Sequence[Device]:
        """Devices that agree with `query`, in the order of their first registration, from the
        one after `after` on."""
        ...

    async def get(self, device_id: UUID) -> tuple[Device, datetime] | None:
        """A device, and when it was first registered."""
        ...

    async def pushes(self, device: Device, *, limit: int) -> Sequence[SentPush]:
        """The last pushes that were planned for a device, newest first."""
        ...

    async def counts(self) -> Sequence[DeviceCount]:
        """How many devices there are, by app, platform and state."""
        ...

    async def remove(self, device_id: UUID, *, deed: Deed, now: datetime) -> bool:
        """Delete a device, and record it; whether there was one."""
        ...

    async def logout(self, user_id: UserId, *, installation_id: str) -> int:
        """Delete this installation of the user's, or with "" all of them; how many."""
        ...

    async def bring(
        self, imported: Sequence[Imported], *, limit: int, deed: Deed, now: datetime
    ) -> Sequence[Arrival]:
        """Register devices from elsewhere, and record it; what became of each, in order.

        One whose address or installation was confirmed later than it says stays as it is.
        """
        ...

    async def clean(
        self, cleaning: Cleaning, *, now: datetime, limit: int
    ) -> Mapping[Cleaned, int]:
        """Delete devices that are of no more use, and record it; how many, and why."""
        ...


class Eraser(Protocol):
    """Every trace of a user in this room, and in those that are erased with it."""

    async def erase(self, user_id: UserId, *, deed: Deed, now: datetime) -> Mapping[str, int]:
        """Delete what is kept of a user, and record that it was done, in one transaction.

        What counts of campaigns and sends are made from stays, without name, device and
        words. How many rows of each kind went.
        """
        ...
