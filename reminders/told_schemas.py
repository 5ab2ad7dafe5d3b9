"""What became of a reminder after it went off, as bodies of the room's API."""

from datetime import datetime
from uuid import UUID

import msgspec


class AttemptedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider said to one attempt."""

    verdict: str
    reason: str
    at: datetime


class ReportedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a device said: `received`, `shown` or `opened`."""

    event: str
    at: datetime


class OnDeviceBody(msgspec.Struct, frozen=True, kw_only=True):
    """One push of it. Without a `platform` the device is gone by now."""

    push_id: UUID
    device_id: UUID | None
    platform: str | None
    state: str
    reason: str
    attempts: list[AttemptedBody]
    reports: list[ReportedBody]


class HoldingBody(msgspec.Struct, frozen=True, kw_only=True):
    """A device that shows reminders by itself: all of them up to `until`, unless it is `stale`
    since, and so many `alarms`."""

    device_id: UUID
    alarms: int
    until: datetime
    acknowledged_at: datetime
    stale_at: datetime | None


class ToldBody(msgspec.Struct, frozen=True, kw_only=True):
    """The notice that told it is `waiting`, `failed` for a `reason`, or was `told`: then with a
    push for each device that could be reached."""

    standing: str
    reason: str
    notification_id: UUID | None
    at: datetime | None
    devices: list[OnDeviceBody]
