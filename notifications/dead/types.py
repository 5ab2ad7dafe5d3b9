"""The values of dead pushes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.pushes import AttemptRecord
from notifications.types import Content, Route


@dataclass(frozen=True, slots=True)
class DeadPush:
    """A push whose every attempt failed. `reason` is the provider's last word."""

    id: UUID
    notification_id: UUID
    user_id: UserId
    device_id: UUID
    app_id: str
    route: Route
    urgency: Urgency
    reason: str
    attempts: int
    created_at: datetime
    died_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Inquest:
    """All that is known of a dead push. `content` is None when nobody can read it."""

    push: DeadPush
    content: Content | None
    attempts: Sequence[AttemptRecord]


@dataclass(frozen=True, slots=True)
class DeadQuery:
    """Which dead pushes: those that agree with whatever is given."""

    push_ids: tuple[UUID, ...] = ()
    app_id: str | None = None
    route: Route | None = None
    urgency: Urgency | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Redrive:
    """What shall be tried again. Without a `lifetime` only what still matters is."""

    query: DeadQuery
    lifetime: timedelta | None
    limit: int
