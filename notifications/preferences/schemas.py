"""Bodies of the preferences' API."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from kernel.notices import Urgency
from notifications.deciding.types import Answer, Quiet, Reason
from notifications.preferences.preferences import WINDOWS
from notifications.pushes import PushState
from notifications.schemas import Category
from notifications.types import Platform

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
User = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Thread = Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00-\x1f]*$")]
Zone = Annotated[str, msgspec.Meta(max_length=64)]


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


WallTime = Annotated[
    str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["21:30"])
]


class WindowBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the day, such as 22:00 to 08:00; it belongs to the day on which it ends."""

    start: WallTime
    end: WallTime


Windows = Annotated[list[WindowBody], msgspec.Meta(max_length=WINDOWS)]


class QuietBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When not to be told what can wait, on the wall of `zone` or else of each device.

    Without windows of their own, weekend and Ramadan are like any other day; `"usual"` are
    those that the operator chose for Ramadan. `also` names categories that quiet hours leave
    alone unless somebody asks, such as `chat`.
    """

    windows: Windows
    weekend: Windows | None = None
    weekend_days: Annotated[list[Weekday], msgspec.Meta(max_length=7)] = msgspec.field(
        default_factory=lambda: [Weekday.FRIDAY, Weekday.SATURDAY]
    )
    ramadan: Windows | Literal["usual"] | None = None
    zone: Zone = ""
    also: Annotated[list[Category], msgspec.Meta(max_length=64)] = []


class PutQuiet(QuietBody, frozen=True):
    """The caller's quiet hours, all of them."""


class PutQuietOf(QuietBody, frozen=True, kw_only=True):
    """A user's quiet hours, all of them."""

    user_id: User


class OfUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a user."""

    user_id: User


class Choose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to be told of a category, on one device or on all."""

    category: Category
    enabled: bool
    device_id: UUID | None = None


class ChooseFor(Choose, frozen=True, kw_only=True):
    """The same for a user."""

    user_id: User


class GiveConsent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That the user agreed to a category or withdrew that; `text_version` names the words that
    were shown, `source` where."""

    category: Category
    given: bool
    text_version: Words
    source: Words = "app"


class GiveConsentFor(GiveConsent, frozen=True, kw_only=True):
    """The same for a user."""

    user_id: User


class ConsentBody(msgspec.Struct, frozen=True):
    """The last word on a category."""

    given: bool
    text_version: str
    at: datetime


class CategoryBody(msgspec.Struct, frozen=True):
    """A category as a switch: what holds for it, and what the user says of it."""

    name: str
    enabled: bool
    optional: bool
    needs_consent: bool
    consent: ConsentBody | None
    quiet: Quiet


class PreferencesBody(msgspec.Struct, frozen=True):
    """All that a user has said. `devices` holds choices that differ on a device."""

    categories: list[CategoryBody]
    devices: dict[str, dict[str, bool]]
    quiet_hours: QuietBody | None


class ConsentRecordBody(msgspec.Struct, frozen=True):
    """An entry of the record of consent."""

    id: UUID
    category: str
    given: bool
    text_version: str
    source: str
    recorded_by: str
    recorded_at: datetime


class ConsentRecords(msgspec.Struct, frozen=True):
    """The newest entries, newest first."""

    consents: list[ConsentRecordBody]


class RamadanBody(msgspec.Struct, frozen=True):
    """When Ramadan is; until it was announced its days are estimates."""

    year: int
    starts_on: date
    ends_on: date
    announced: bool


class PutRamadan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The dates of a year of the Hijri calendar; both days belong to it."""

    year: int
    starts_on: date
    ends_on: date
    announced: bool = True


class OneRamadan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a year of the Hijri calendar."""

    year: Annotated[int, msgspec.Meta(ge=1, le=9999)]


class RamadanList(msgspec.Struct, frozen=True):
    """Every year that there are dates for."""

    ramadans: list[RamadanBody]


class Imagine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A push by its id or that of its notification, or one that is imagined, by its category."""

    id: UUID | None = None
    category: Category | None = None
    urgency: Urgency = Urgency.TRANSACTIONAL
    thread: Thread = ""
    device_id: UUID | None = None
    at: datetime | None = None
    expires_at: datetime | None = None
    exact: bool = False
    """Whether the user chose this very moment."""


class ImagineFor(Imagine, frozen=True, kw_only=True):
    """The same for a user; by id, no user is named."""

    user_id: User | None = None


class RuleBody(msgspec.Struct, frozen=True):
    """What one rule says."""

    rule: str
    answer: Answer
    reason: Reason | None
    until: datetime | None
    why: str


class RecordBody(msgspec.Struct, frozen=True):
    """What is on record of a push."""

    id: UUID
    state: PushState
    reason: str
    due_at: datetime
    settled_at: datetime | None


class OnDeviceBody(msgspec.Struct, frozen=True):
    """What becomes of it on one device, and what every rule says of that."""

    device_id: UUID | None
    platform: Platform | None
    answer: Answer | None
    reason: Reason | None
    until: datetime | None
    rules: list[RuleBody]
    push: RecordBody | None


class ExplanationBody(msgspec.Struct, frozen=True):
    """The decision for every device of a user, by what the user says now."""

    user_id: str
    category: str
    urgency: Urgency
    at: datetime
    notification_id: UUID | None
    devices: list[OnDeviceBody]
