"""How times look in the room's API, both ways: zones, wall times, dues and leads."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

import msgspec

Zone = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        description="IANA time zone",
        examples=["Africa/Algiers"],
    ),
]
WallTime = Annotated[
    str,
    msgspec.Meta(
        pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Wall time", examples=["09:00"]
    ),
]
Count = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Signed = Annotated[int, msgspec.Meta(ge=-1000, le=1000)]


class QuietBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each day from `start` up to `end`, perhaps past midnight."""

    start: WallTime
    end: WallTime


class HijriBody(msgspec.Struct, frozen=True):
    """A day in the Hijri calendar of Umm al-Qura."""

    year: int
    month: int
    day: int


class DayDue(msgspec.Struct, frozen=True, tag_field="kind", tag="day", forbid_unknown_fields=True):
    """All day, on the wall of whoever looks."""

    day: date


class WallDue(
    msgspec.Struct, frozen=True, tag_field="kind", tag="wall", forbid_unknown_fields=True
):
    """An appointment at a wall time of a place."""

    day: date
    at: WallTime
    zone: Zone


class EventDue(
    msgspec.Struct, frozen=True, tag_field="kind", tag="event", forbid_unknown_fields=True
):
    """Relative to the event's day, or that of another of its parts: negative numbers are before.

    What was begun on `start` with fewer than `span` days left is compressed into those.
    """

    months: Signed = 0
    weeks: Signed = 0
    days: Signed = 0
    at: WallTime | None = None
    anchor: Annotated[str, msgspec.Meta(max_length=32)] = "main"
    span: Count = 0
    start: date | None = None


class AnchorBody(msgspec.Struct, frozen=True):
    """A part of an event; `on` is the day that it is on at present."""

    code: str
    day: date | None
    days: int | None
    at: str | None
    zone: str | None
    on: date | None
    of: str


class PaymentBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a vendor is owed, in the currency's smallest unit."""

    amount: Annotated[int, msgspec.Meta(ge=0, le=10**15)]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", examples=["DZD"])]
    vendor: Annotated[str, msgspec.Meta(max_length=200)] = ""
    vendor_id: Annotated[str, msgspec.Meta(max_length=128)] | None = None


class RecurrenceBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule of RFC 5545, such as FREQ=MONTHLY;BYMONTHDAY=-1, for a due that is a day or an
    appointment; each year in the Hijri calendar is RSCALE=ISLAMIC-UMALQURA;FREQ=YEARLY.
    `from_completion` counts from the day on which it was done."""

    rule: Annotated[str, msgspec.Meta(max_length=512, examples=["FREQ=WEEKLY;BYDAY=SA"])]
    from_completion: bool = False
    except_on: Annotated[list[date], msgspec.Meta(max_length=200)] = []


class NearbyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a device may remind its user by itself, on arriving or `leaving`. Kept, not watched."""

    label: Annotated[str, msgspec.Meta(max_length=200)]
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    radius_metres: Annotated[int, msgspec.Meta(ge=50, le=50_000)] = 200
    leaving: bool = False


class DetailsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a task says beside its title and due; `usual` asks for the product's reminders, and
    `nag` for those when it is overdue."""

    notes: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    priority: Literal["key", "normal", "low"] = "normal"
    usual: bool = False
    nag: bool = True
    opens: EventDue | None = None
    parent_id: UUID | None = None
    payment: PaymentBody | None = None
    recurrence: RecurrenceBody | None = None
    nearby: Annotated[list[NearbyBody], msgspec.Meta(max_length=5)] = []


DueBody = DayDue | WallDue | EventDue


class CalendarLeadBody(
    msgspec.Struct, frozen=True, tag_field="kind", tag="calendar", forbid_unknown_fields=True
):
    """So many days before the due day, at a wall time."""

    at: WallTime
    months: Count = 0
    weeks: Count = 0
    days: Count = 0


class ElapsedLeadBody(
    msgspec.Struct, frozen=True, tag_field="kind", tag="elapsed", forbid_unknown_fields=True
):
    """So many minutes before the due instant."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=40_320)]


LeadBody = CalendarLeadBody | ElapsedLeadBody
