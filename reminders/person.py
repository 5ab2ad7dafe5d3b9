"""People: on whose clock a user is reminded, and when rather not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum

from kernel.ids import UserId


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `start` up to `end`, perhaps past midnight, policy reminders wait. Equal: never."""

    start: time
    end: time


class FastingPolicy(StrEnum):
    """Whether a user's days in Ramadan are different; by default where most people's are."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Ramadan:
    """When it is in a year of the Hijri calendar, as far as anybody knows. Both days belong
    to it."""

    year: int
    starts_on: date
    ends_on: date


class Occasion(StrEnum):
    """What people are usually reminded of, each in its own way."""

    KEY = "key"
    NORMAL = "normal"
    LOW = "low"
    """Tasks by their priority, if they are none of the following."""
    PAYMENT = "payment"
    APPOINTMENT = "appointment"
    """Any other task that is due at a time."""
    OVERDUE = "overdue"
    EVENT_EVE = "event_eve"
    EVENT_DAY = "event_day"
    VENDOR_CALL = "vendor_call"
    """The time at which a vendor has to be there."""


@dataclass(frozen=True, slots=True)
class UsualLead:
    """So many `days` before, at a time of day or else the user's own clock; or so many
    `minutes` before."""

    days: int | None = None
    at: time | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Usual:
    """What a user says of an occasion, `since` then. Without `leads` of their own the product's
    hold."""

    since: datetime
    on: bool = True
    leads: tuple[UsualLead, ...] | None = None


class Digests(StrEnum):
    """How often a user is told in one what else there is: each day, each week, never."""

    DAILY = "daily"
    WEEKLY = "weekly"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Person:
    """How a user wants to be reminded. Who has no such profile lives in the event's zone.

    `zone` is home. Where the user is now is `device_zone`, when a device said so and
    `follow_device` lets it; `candidate_zone` is what one said since `candidate_since` and
    nobody believes yet. `quiet` None means the usual hours, `clock` None the usual time of day;
    of occasions that are not in `usual` the user is told as the product does.
    """

    user_id: UserId
    zone: str
    locale: str
    muted: bool = False
    quiet: Quiet | None = None
    fasting: FastingPolicy = FastingPolicy.AUTO
    hijri: bool = False
    """Show dates in the Hijri calendar beside the others."""
    follow_device: bool = True
    device_zone: str | None = None
    device_zone_at: datetime | None = None
    candidate_zone: str | None = None
    candidate_since: datetime | None = None
    clock: time | None = None
    usual: Mapping[Occasion, Usual] = field(default_factory=dict)
    digest: Digests = Digests.DAILY
    digest_at: time | None = None

    @property
    def zone_now(self) -> str:
        """The zone on whose wall the user is reminded."""
        return (self.device_zone if self.follow_device else None) or self.zone
