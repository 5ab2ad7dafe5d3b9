"""Values of webhooks: who is told, and news on its way there."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kernel.notices import Urgency


class NewsKind(StrEnum):
    """What a webhook can be told of."""

    OUTCOMES = "push.outcomes"
    """Pushes came to their end."""
    REPORTS = "push.reports"
    """Devices reported what became of pushes."""
    TEST = "webhook.test"
    """Somebody wants to see whether it works. Everybody is told of it who is asked."""


class Origin(StrEnum):
    """Who wanted a push."""

    SEND = "send"
    """A server of the application, by the API."""
    CAMPAIGN = "campaign"
    NOTICE = "notice"
    """Zaffa itself: somebody wrote, a reminder went off."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which pushes a webhook is told of: of these origins, and of these urgencies and categories
    if there are any."""

    origins: frozenset[Origin] = frozenset({Origin.SEND})
    urgencies: frozenset[Urgency] = frozenset()
    categories: frozenset[str] = frozenset()

    def takes(self, origin: Origin, urgency: Urgency, category: str) -> bool:
        return (
            origin in self.origins
            and (not self.urgencies or urgency in self.urgencies)
            and (not self.categories or category in self.categories)
        )


SENDS = Selection()
"""What servers asked for themselves, and nothing else."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told of what. Its secrets are sealed; the former one is good until it expires.

    While it fails it rests between two tries, `failing_since` the first of the `failures` that
    no success came after. `disabled_reason` says why we told it nothing more by ourselves.
    """

    id: UUID
    url: str
    kinds: frozenset[NewsKind]
    secret: str = field(repr=False)
    created_at: datetime
    former_secret: str = field(default="", repr=False)
    former_until: datetime | None = None
    enabled: bool = True
    selection: Selection = SENDS
    failing_since: datetime | None = None
    failures: int = 0
    resting_until: datetime | None = None
    disabled_reason: str = ""


class DeliveryState(StrEnum):
    """Where news is on its way."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """It was tried for too long, or the other side wants to hear nothing more."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """News for one webhook, and what came of the last try."""

    id: UUID
    webhook_id: UUID
    kind: NewsKind
    body: str
    created_at: datetime
    state: DeliveryState
    attempts: int
    due_at: datetime | None
    status: int
    error: str
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """News that one worker holds for one try. `fence` tells it from every other one."""

    delivery: Delivery
    webhook: Webhook
    fence: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said; a `status` of 0 is nothing at all, for the reason `error`."""

    status: int
    error: str = ""

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300
