"""Bodies of the API of the register of devices."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from kernel.notices import Urgency
from notifications.pushes import PushState
from notifications.registry.register import BATCH, PAGE
from notifications.registry.types import Arrival, DeviceState
from notifications.schemas import DeviceBody, RegisterDevice
from notifications.types import Platform, Route

Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE)]


class FindDevices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which devices: those that agree with whatever is given."""

    app_id: Annotated[str, msgspec.Meta(max_length=64)] = ""
    user_id: Annotated[str, msgspec.Meta(max_length=128)] = ""
    platform: Platform | None = None
    state: DeviceState | None = None
    cursor: str | None = None
    limit: Limit = 100


class DevicePage(msgspec.Struct, frozen=True):
    """Devices in the order of their first registration; with a `cursor` there are more."""

    devices: list[DeviceBody]
    cursor: str | None


class ExportedDevice(RegisterDevice, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device as it is imported elsewhere: with its address."""

    user_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    confirmed_at: datetime

    def __repr__(self) -> str:
        return f"ExportedDevice(installation_id={self.installation_id!r})"


class ExportPage(msgspec.Struct, frozen=True):
    """Devices with their addresses; with a `cursor` there are more."""

    devices: list[ExportedDevice]
    cursor: str | None


class ImportDevices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Devices as an export has them."""

    devices: Annotated[list[ExportedDevice], msgspec.Meta(min_length=1, max_length=BATCH)]


class RefusedDevice(msgspec.Struct, frozen=True):
    """Which of the devices could not be imported, and why."""

    index: int
    code: str
    message: str


class ImportedDevices(msgspec.Struct, frozen=True):
    """How many of the devices came to what, and those that could not be imported."""

    counts: dict[Arrival, int]
    refused: list[RefusedDevice]


class CountBody(msgspec.Struct, frozen=True):
    """How many devices of an app there are of one sort."""

    app_id: str
    platform: Platform
    state: DeviceState
    devices: int


class CountList(msgspec.Struct, frozen=True):
    """All devices, by app, platform and state."""

    counts: list[CountBody]


class SentPushBody(msgspec.Struct, frozen=True):
    """A push that was planned for a device."""

    id: UUID
    notification_id: UUID
    route: Route
    urgency: Urgency
    state: PushState
    reason: str
    created_at: datetime


class InspectedBody(msgspec.Struct, frozen=True):
    """All that is known of a device, but its address.

    `obstacles` say why a class of pushes does not reach it; a class that is not there does.
    """

    device: DeviceBody
    registered_at: datetime
    obstacles: dict[Urgency, str]
    pushes: list[SentPushBody]


class Logout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names one of the caller's installations."""

    installation_id: Annotated[str, msgspec.Meta(min_length=8, max_length=128)]


class LoggedOut(msgspec.Struct, frozen=True):
    """How many devices get nothing more."""

    devices: int


class Erased(msgspec.Struct, frozen=True):
    """How many rows of each kind went; `counted` are those that lost their name and words."""

    rows: dict[str, int]
