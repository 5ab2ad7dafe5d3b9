"""People: on whose clock a user is reminded, and when rather not."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Person:
    """How a user wants to be reminded. Who has no such profile lives in the event's zone.

    `zone` is home. Where the user is now is `device_zone`, when a device said so and
    `follow_device` lets it; `candidate_zone` is what one said since `candidate_since` and
    nobody believes yet. `quiet` None means the usual hours.
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

    @property
    def zone_now(self) -> str:
        """The zone on whose wall the user is reminded."""
        return (self.device_zone if self.follow_device else None) or self.zone
