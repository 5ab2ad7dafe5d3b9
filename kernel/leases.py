"""Leases: one holder at a time, told from its successor by a fence."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """`name` belongs to `holder` until `expires_at`. `fence` rises with each new holder."""

    name: str
    holder: str
    fence: int
    expires_at: datetime


class Leases(Protocol):
    """Every method is one whole transaction."""

    async def claim(
        self, name: str, *, holder: str, now: datetime, length: timedelta
    ) -> Lease | None:
        """The lease, or None while somebody else holds it. One's own is claimed anew."""
        ...

    async def renew(self, lease: Lease, *, now: datetime, length: timedelta) -> Lease | None:
        """The same lease, longer; None if it was lost meanwhile."""
        ...

    async def release(self, lease: Lease) -> bool:
        """Give it back before its time; whether it was still held."""
        ...
