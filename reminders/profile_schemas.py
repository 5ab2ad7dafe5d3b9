"""Bodies about how a user is reminded."""

from typing import Annotated, Literal

import msgspec

from reminders.schemas import Ask, Reply, User
from reminders.shapes import QuietBody, WallTime, Zone


class OnePerson(Ask, frozen=True, kw_only=True):
    user_id: User


class PutProfile(Ask, frozen=True, kw_only=True):
    """`quiet` null means the usual hours, and equal ends none."""

    zone: Zone
    locale: Annotated[str, msgspec.Meta(max_length=35)]
    muted: bool = False
    quiet: QuietBody | None = None
    fasting: Literal["auto", "on", "off"] = "auto"
    hijri: bool = False
    follow_device: bool = True
    digest: Literal["daily", "weekly", "off"] = "daily"
    digest_at: WallTime | None = None


class PutProfileOf(PutProfile, frozen=True, kw_only=True):
    user_id: User


class ReportZone(Ask, frozen=True, kw_only=True):
    """What a device says; `confirmed` when the user was asked and agreed."""

    zone: Zone
    confirmed: bool = False


class ReportZoneOf(ReportZone, frozen=True, kw_only=True):
    user_id: User


class ProfileAnswer(Reply, frozen=True, kw_only=True):
    user_id: str
    zone: str
    zone_now: str
    locale: str
    muted: bool
    quiet: QuietBody | None
    fasting: str
    hijri: bool
    follow_device: bool
    digest: str
    digest_at: str | None
