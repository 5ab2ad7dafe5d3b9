"""Bodies of the API of dead pushes."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from kernel.notices import Urgency
from notifications.dead.pushes import AT_ONCE, PAGE
from notifications.schemas import AttemptBody
from notifications.types import Route

App = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00]*$")]


class ListDead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead pushes: those that agree with whatever is given."""

    app_id: App | None = None
    route: Route | None = None
    urgency: Urgency | None = None
    reason: Reason = ""
    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE)] = 50


class PushId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a push."""

    push_id: UUID


class RedriveDead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead pushes shall be tried again: those named, or those that agree; never all of
    them by saying nothing. `expires_after` is in seconds from now; without it, only those
    are that still matter.
    """

    push_ids: Annotated[list[UUID], msgspec.Meta(max_length=AT_ONCE)] = []
    app_id: App | None = None
    route: Route | None = None
    urgency: Urgency | None = None
    reason: Reason = ""
    expires_after: float | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=AT_ONCE)] = AT_ONCE


class DeadPushBody(msgspec.Struct, frozen=True):
    """A push whose every attempt failed."""

    id: UUID
    notification_id: UUID
    user_id: str
    device_id: UUID
    app_id: str
    route: Route
    urgency: Urgency
    reason: str
    attempts: int
    created_at: datetime
    died_at: datetime
    expires_at: datetime


class DeadPage(msgspec.Struct, frozen=True):
    """Dead pushes, the last to die first; with a `cursor` there are more."""

    pushes: list[DeadPushBody]
    cursor: str | None


class InquestBody(msgspec.Struct, frozen=True):
    """A dead push, what it said, and every attempt. Without content, nobody can read it."""

    push: DeadPushBody
    content: dict[str, Any] | None
    attempts: list[AttemptBody]


class Redriven(msgspec.Struct, frozen=True):
    """The pushes that wait again."""

    push_ids: list[UUID]
