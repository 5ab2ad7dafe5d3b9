"""Bodies of the notifications API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from kernel.notices import Urgency
from notifications.campaign import CampaignState
from notifications.pushes import PushState
from notifications.types import (
    DEFAULT_APP,
    AddressKind,
    Environment,
    Permission,
    Platform,
    Route,
    Verdict,
)

Key = Annotated[str, msgspec.Meta(pattern="^[!-~]{1,128}$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f]{1,128}$")]
Category = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_.-]{0,63}$", examples=["offers"])]
Link = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x20]{0,1024}$", examples=["app://offers/7"])]
Locale = Annotated[str, msgspec.Meta(min_length=2, max_length=35)]
AppId = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9._-]{0,63}$", examples=["default"])]
Words = Annotated[dict[str, str], msgspec.Meta(max_length=32)]
Filling = Annotated[dict[str, str | int | float], msgspec.Meta(max_length=64)]

FILLED = 1000
"""Users whose own variables one request brings, at most."""


class RegisterDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole state of an installation; what it does not say is not kept from before."""

    installation_id: Annotated[str, msgspec.Meta(min_length=8, max_length=128)]
    address_kind: AddressKind
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    platform: Platform
    locale: Locale
    time_zone: Annotated[str, msgspec.Meta(max_length=64)]
    app_version: Annotated[str, msgspec.Meta(max_length=64)] = ""
    environment: Environment = Environment.PRODUCTION
    app_id: AppId = DEFAULT_APP
    permission: Permission = Permission.UNKNOWN


class DeviceId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a device."""

    device_id: UUID


class OfUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a user."""

    user_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class DeviceBody(msgspec.Struct, frozen=True):
    """A device as its owner and operators see it: never its address."""

    id: UUID
    user_id: str
    installation_id: str
    address_kind: AddressKind
    environment: Environment
    platform: Platform
    locale: str
    time_zone: str
    app_version: str
    app_id: str
    permission: Permission
    confirmed_at: datetime
    accepted_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: str


class DeviceList(msgspec.Struct, frozen=True):
    """A user's devices, the one confirmed last first."""

    devices: list[DeviceBody]


class EitherId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a notification, or one of its pushes."""

    id: UUID


class AttemptBody(msgspec.Struct, frozen=True):
    """One call to a provider."""

    number: int
    verdict: Verdict
    reason: str
    provider_id: str
    started_at: datetime
    settled_at: datetime


class PushBody(msgspec.Struct, frozen=True):
    """A push to one device, or to a topic: then there is no `device_id`."""

    id: UUID
    device_id: UUID | None
    route: Route
    state: PushState
    reason: str
    due_at: datetime
    settled_at: datetime | None
    attempts: list[AttemptBody]


class NotificationBody(msgspec.Struct, frozen=True):
    """What one user was told, and by which pushes."""

    id: UUID
    user_id: str
    template: str
    category: str
    urgency: Urgency
    created_at: datetime
    expires_at: datetime
    campaign_id: UUID | None
    send_id: UUID | None
    thread: str
    exact: bool
    pushes: list[PushBody]


class TextBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign's words in one language."""

    title: Annotated[str, msgspec.Meta(max_length=1000)]
    body: Annotated[str, msgspec.Meta(max_length=10_000)]


class CreateCampaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words for everybody whose device speaks one of `locales`; none means everybody.

    Either `texts` word it, or a `template`: the version in use now, or the one that is named.
    `variables` fill either. It goes no faster than `per_second`; 0 is as fast as it may.
    """

    name: Name
    idempotency_key: Key
    texts: Annotated[dict[Locale, TextBody], msgspec.Meta(max_length=64)] = {}
    template: Annotated[str, msgspec.Meta(max_length=64)] = ""
    version: Annotated[int, msgspec.Meta(ge=0, le=2_147_483_647)] = 0
    variables: Filling = {}
    locales: Annotated[list[Locale], msgspec.Meta(max_length=64)] = []
    link: Link = ""
    data: Words = {}
    expires_after: Annotated[float, msgspec.Meta(ge=60, le=86_400)] = 86_400.0
    per_second: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 0.0


class CampaignId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a campaign."""

    campaign_id: UUID


class ListCampaigns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which campaigns."""

    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class CampaignLine(msgspec.Struct, frozen=True):
    """A campaign in a list. `stopped_reason` says why it paused, if it did so by itself."""

    id: UUID
    name: str
    state: CampaignState
    created_at: datetime
    started_at: datetime | None
    expires_at: datetime | None
    planned: bool
    stopped_reason: str


class CampaignPage(msgspec.Struct, frozen=True):
    """Campaigns, newest first; with a `cursor` there are more."""

    campaigns: list[CampaignLine]
    cursor: str | None


class FillCampaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Variables of single users, which win over those of everybody."""

    campaign_id: UUID
    variables_of: Annotated[dict[str, Filling], msgspec.Meta(min_length=1, max_length=FILLED)]


class CampaignBody(msgspec.Struct, frozen=True):
    """A campaign and how far it got. `counts` has the pushes by state, `targeted` their sum.

    `stopped_reason` says why it paused, if it did so by itself.
    """

    id: UUID
    name: str
    state: CampaignState
    template: str
    variables: dict[str, str | int | float]
    texts: dict[str, TextBody]
    locales: list[str]
    link: str
    data: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    expires_at: datetime | None
    planned: bool
    stopped_reason: str
    per_second: float
    targeted: int
    counts: dict[str, int]
