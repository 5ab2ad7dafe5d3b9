"""The values of preferences: choices, consent, quiet hours, and what follows from them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Urgency

FRIDAY, SATURDAY = 4, 5
"""As `date.weekday` counts."""


class Quiet(StrEnum):
    """What quiet hours mean for a category."""

    IGNORED = "ignored"
    """It is told at any hour, unless the user wants otherwise."""
    HELD = "held"
    """It waits for the end of the quiet hours that the user has set."""
    ENFORCED = "enforced"
    """It waits for their end, and who has set none has the usual ones."""


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """What holds for everything of a category."""

    consent: str = ""
    """The category to which a user must have agreed to be told; none if empty."""
    quiet: Quiet = Quiet.HELD
    optional: bool = True
    """Users may opt out of it."""

    @property
    def is_free(self) -> bool:
        """Whether it may be told at any hour to a user who has never said anything."""
        return not self.consent and self.quiet is not Quiet.ENFORCED


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the day on somebody's wall; one that ends before it starts crosses midnight."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When a user is not to be told what can wait.

    A window belongs to the day on which it ends, so the night to Friday is the weekend's.
    Without windows of their own, weekend and Ramadan are like any other day. The wall is that
    of `zone`, or else of each device. `also` names categories that quiet hours usually leave
    alone.
    """

    windows: tuple[Window, ...]
    weekend: tuple[Window, ...] | None = None
    weekend_days: tuple[int, ...] = (FRIDAY, SATURDAY)
    ramadan: tuple[Window, ...] | None = None
    zone: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Consent:
    """A user's last word on a category: given or withdrawn, to which text, and when."""

    given: bool
    text_version: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One entry of the record of consent, which only grows.

    `text_version` names the words that the user saw, `source` where: a screen of the app, a
    form on paper. `recorded_by` is the user, or the key of a server.
    """

    id: UUID
    user_id: UserId
    category: str
    given: bool
    text_version: str
    source: str
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class UserPreferences:
    """All that a user has said. Of two choices the one about the device wins.

    `categories` are choices for all devices, `devices` those for one, by its id.
    """

    categories: Mapping[str, bool] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    consents: Mapping[str, Consent] = field(default_factory=dict)
    quiet: QuietHours | None = None

    @property
    def follows_ramadan(self) -> bool:
        """Whether it matters to them when Ramadan is."""
        return self.quiet is not None and self.quiet.ramadan is not None


@dataclass(frozen=True, slots=True)
class Ramadan:
    """When Ramadan is, in one year of the Hijri calendar. Both days belong to it.

    It begins with the sight of the moon: until that was announced its days are estimates.
    """

    year: int
    starts_on: date
    ends_on: date
    announced: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What some users have said: who is not in `preferences` has said nothing.

    `muted` holds the threads that users have muted.
    """

    preferences: Mapping[UserId, UserPreferences] = field(default_factory=dict)
    ramadans: Sequence[Ramadan] = ()
    muted: Collection[tuple[str, UserId]] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A push, planned or imagined, about which is to be decided."""

    category: str
    urgency: Urgency
    at: datetime
    expires_at: datetime
    device_id: UUID | None = None
    time_zone: str = ""
    """The device's; a stranger's device is taken to be where most users are."""
    confirmed_at: datetime | None = None
    stale_before: datetime | None = None
    """A device last confirmed before that is left alone."""
    disabled_reason: str | None = None
    """Why the device is disabled, if it is."""
    permitted: bool = True
    """Whether the user lets the app show notifications there."""
    exact: bool = False
    """Whether the user chose this very moment for it."""
    alarmed: bool = False
    """Whether the device holds an alarm and shows it by itself."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true about the user at that moment."""

    preferences: UserPreferences
    rule: CategoryRule
    usual_quiet: QuietHours
    ramadans: Sequence[Ramadan] = ()
    muted: bool = False
    """Whether the user has muted what the push is about."""
    enough_until: datetime | None = None
    """When the user may be told of this category again, having been told enough of it."""
    busy_until: datetime | None = None
    """When the device may be told of this thread again; until then what comes is counted."""


class Answer(StrEnum):
    """What becomes of a push."""

    SEND = "send"
    HOLD = "hold"
    """Not before `until`; it is decided about again then."""
    SUPPRESS = "suppress"


class Reason(StrEnum):
    """Why a push does not go out now. Stored with it."""

    EXPIRED = "expired"
    DEVICE_DISABLED = "device_disabled"
    DEVICE_STALE = "device_stale"
    NOT_PERMITTED = "not_permitted"
    NO_CONSENT = "no_consent"
    OPTED_OUT = "opted_out"
    OPTED_OUT_ON_DEVICE = "opted_out_on_device"
    MUTED = "muted"
    QUIET_HOURS = "quiet_hours"
    FREQUENCY_CAP = "frequency_cap"
    BUSY_THREAD = "busy_thread"
    LOCAL_ALARM = "local_alarm"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a push, and why."""

    answer: Answer
    reason: Reason | None = None
    until: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision with what each rule said of it, in the order in which they are asked."""

    decision: Decision
    rules: Sequence[tuple[str, Decision]]
