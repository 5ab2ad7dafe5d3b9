"""Values of webhooks: who is told, and news on its way there."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class NewsKind(StrEnum):
    """What a webhook can be told of."""

    OUTCOMES = "push.outcomes"
    """Pushes of sends came to their end."""
    REPORTS = "push.reports"
    """Devices reported what became of pushes of sends."""
    TEST = "webhook.test"
    """Somebody wants to see whether it works. Everybody is told of it who is asked."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told of what. Its secrets are sealed; the former one is good until it expires."""

    id: UUID
    url: str
    kinds: frozenset[NewsKind]
    secret: str = field(repr=False)
    created_at: datetime
    former_secret: str = field(default="", repr=False)
    former_until: datetime | None = None
    enabled: bool = True


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
