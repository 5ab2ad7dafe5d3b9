"""What became of a reminder after it went off: words, pushes, and what devices said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId


class Standing(StrEnum):
    """How far a notice got."""

    WAITING = "waiting"
    """It is in the outbox, and not told yet."""
    FAILED = "failed"
    """It could not be told, and waits for an operator."""
    TOLD = "told"
    """It is on the user's list, with a push for each device that can be reached."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """What a provider said to one attempt."""

    verdict: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reported:
    """What a device said: `received`, `shown` or `opened`."""

    event: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OnDevice:
    """One push of it. Without a `platform` the device is gone by now."""

    push_id: UUID
    device_id: UUID | None
    platform: str | None
    state: str
    reason: str
    attempts: Sequence[Attempted]
    reports: Sequence[Reported]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one notice. `key` names it; `reason` is why it failed, if it did."""

    key: str
    standing: Standing
    reason: str = ""
    notification_id: UUID | None = None
    at: datetime | None = None
    devices: Sequence[OnDevice] = ()


class Aftermath(Protocol):
    """What is on record of notices. One that is forgotten, or was never made, is not there."""

    async def of(self, user_id: UserId, keys: Sequence[str]) -> Mapping[str, Told]:
        """What became of those of the user's notices that these keys name."""
        ...
