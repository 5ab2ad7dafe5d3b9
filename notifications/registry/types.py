"""Values of the register of devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.pushes import PushState
from notifications.types import Device, Platform, Registration, Route


class DeviceState(StrEnum):
    """Whether a device can be reached at all."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    """A provider said that its address is gone."""


@dataclass(frozen=True, slots=True)
class DeviceQuery:
    """Which devices: those that agree with whatever is not empty."""

    app_id: str = ""
    user_id: UserId | None = None
    platform: Platform | None = None
    state: DeviceState | None = None


@dataclass(frozen=True, slots=True)
class DeviceCount:
    """How many devices of an app there are of one sort."""

    app_id: str
    platform: Platform
    state: DeviceState
    devices: int


@dataclass(frozen=True, slots=True)
class SentPush:
    """A push that was planned for a device, and where it is."""

    id: UUID
    notification_id: UUID
    route: Route
    urgency: Urgency
    state: PushState
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Inspected:
    """All that is known of a device. `obstacles` say why a class of pushes does not reach it."""

    device: Device
    registered_at: datetime
    obstacles: Mapping[Urgency, str]
    pushes: Sequence[SentPush]


@dataclass(frozen=True, slots=True)
class Imported:
    """A device from elsewhere: whose it is, what its app said of itself, and when."""

    user_id: UserId
    registration: Registration
    confirmed_at: datetime


class Arrival(StrEnum):
    """What became of a device that was imported."""

    NEW = "new"
    CHANGED = "changed"
    KEPT = "kept"
    """What is there was confirmed later, so it stayed as it was."""
    NO_APP = "no_app"
    """Its app is not there, so it is not either."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Which devices go: each instant is the last at which one of its sort may have been seen.

    `refused_before`: not confirmed since, and the user does not allow notifications.
    `untaken_before`: not confirmed since, registered before it, and no provider ever took a
    push for it. Devices of apps that were removed go in any case.
    """

    refused_before: datetime
    untaken_before: datetime


class Cleaned(StrEnum):
    """Why a device was cleaned up."""

    REFUSED = "refused"
    UNTAKEN = "untaken"
    ORPHANED = "orphaned"
