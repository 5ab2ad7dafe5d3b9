"""Values of a push on its way: planned, held for an attempt, settled, shown to an operator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.types import (
    DEFAULT_APP,
    AddressKind,
    Attempt,
    Content,
    Environment,
    Outcome,
    Route,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Notification:
    """What one user shall be told. At most one exists per user and notice.

    What goes to a topic is told to nobody by name: its user is empty.
    """

    id: UUID
    user_id: UserId
    template: str
    category: str
    urgency: Urgency
    created_at: datetime
    expires_at: datetime
    campaign_id: UUID | None = None
    send_id: UUID | None = None
    thread: str = ""
    """What it is about; who has muted that is not told."""
    exact: bool = False
    """Its user chose this very moment."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Where a push goes that goes to no device of ours: a topic or a condition of FCM."""

    kind: AddressKind
    address: str


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a push stands in a busy thread, of which a device is told once in an `interval`.

    `words` are what it says, kept for a push of an earlier place that is planned after this one;
    `content` is what is shown when it stands for so many, in such words.
    """

    thread: str
    place: int
    interval: timedelta
    words: str
    content: Callable[[int, str], Content]


@dataclass(frozen=True, slots=True)
class Push:
    """A notification on its way to one device, in that device's language, or to a topic.

    `app_id` is the device's app, whose credentials send it.
    """

    id: UUID
    notification_id: UUID
    user_id: UserId
    device_id: UUID | None
    route: Route
    urgency: Urgency
    content: Content
    collapse_key: str
    created_at: datetime
    expires_at: datetime
    campaign_id: UUID | None = None
    send_id: UUID | None = None
    topic: Topic | None = None
    app_id: str = DEFAULT_APP
    category: str = ""
    due_at: datetime | None = None
    """When it may go out, if not at once."""
    suppressed: str = ""
    """Why it never goes out, when that was clear as it was planned."""
    pacing: Pacing | None = None
    exact: bool = False
    """Its user chose this very moment; quiet hours do not hold it back."""


class PushState(StrEnum):
    """Where a push is. It ends in exactly one of the states of `FINAL`."""

    QUEUED = "queued"
    """It waits for its first attempt."""
    SENDING = "sending"
    """An attempt was written down and may have reached the provider."""
    RETRY = "retry"
    """It waits for another attempt."""
    HELD = "held"
    """Its campaign is paused."""
    ACCEPTED = "accepted"
    """The provider has it. That never means delivered."""
    REJECTED = "rejected"
    """The provider refused it for good."""
    AMBIGUOUS = "ambiguous"
    """Nobody knows whether the provider has it, and sending again might show it twice."""
    EXPIRED = "expired"
    """It could not be handed over while it mattered."""
    SUPPRESSED = "suppressed"
    """It must not go out any more: its device is gone, its campaign or send is cancelled."""
    DEAD = "dead"
    """Every attempt its class allows failed."""


FINAL = frozenset(PushState) - {
    PushState.QUEUED,
    PushState.SENDING,
    PushState.RETRY,
    PushState.HELD,
}
"""What a push ends as; it never leaves these."""


@dataclass(frozen=True, slots=True)
class HeldPush:
    """A push that one dispatcher holds for one attempt, until its lease ends.

    `fence` tells this holding from every other one, `generation` is that of the address
    which the attempt goes to. `unsent` counts the earlier attempts that certainly never
    reached the provider, and those before an operator had a dead push tried again;
    `ambiguous` those that may have. `accepted_at` is when the
    device last took a push, as far as was known when this one was claimed.
    """

    id: UUID
    number: int
    route: Route
    urgency: Urgency
    device_id: UUID
    generation: int
    fence: int
    started_at: datetime
    first_tried_at: datetime
    expires_at: datetime
    unsent: int
    ambiguous: int
    accepted_at: datetime | None = None
    elsewhere: Environment | None = None
    """The environment that is tried, if it is not the one that the device said."""
    campaign_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim found: pushes to send now, how many it ended without an attempt, and how
    many must wait after all."""

    pushes: Sequence[tuple[HeldPush, Attempt]]
    suppressed: int = 0
    postponed: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an attempt led to, and what becomes of its push: due again, or at its end."""

    push: HeldPush
    outcome: Outcome
    state: PushState
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One settled attempt, as an operator sees it."""

    number: int
    verdict: Verdict
    reason: str
    provider_id: str
    started_at: datetime
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class PushRecord:
    """A push and what became of it, as an operator sees it. What goes to a topic has no device."""

    id: UUID
    device_id: UUID | None
    route: Route
    state: PushState
    reason: str
    due_at: datetime
    settled_at: datetime | None
    attempts: Sequence[AttemptRecord]
