"""Bodies of dry runs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from notifications.types import Platform, Route


class ForecastBody(msgspec.Struct, frozen=True):
    """What one device would get, or why it would get nothing, or not before `until`."""

    device_id: UUID
    platform: Platform
    route: Route
    locale: str
    would: bool
    reason: str
    until: datetime | None
    title: str | None
    body: str | None


class UserForecastBody(msgspec.Struct, frozen=True):
    """What one user would be told; `reason` says why nowhere at all."""

    user_id: str
    reason: str
    devices: list[ForecastBody]


class CensusBody(msgspec.Struct, frozen=True):
    """A whole list, counted: of the devices of `users`, `would_reach` would be told, `later` of
    them not at once; the others not, by reason. Users without a device are `without_device`.
    If it is not `whole`, ask again with the `cursor`, and more is counted."""

    users: int
    whole: bool
    cursor: str | None
    without_device: int
    would_reach: int
    later: int
    why_not: dict[str, int]


class Rehearsed(msgspec.Struct, frozen=True):
    """What a send would do. `users` has the first of a long list, and `census` counts all of it.
    `topic_content` is what the devices of a topic or condition would get."""

    targeted: int
    would_reach: int
    users: list[UserForecastBody]
    unknown_device_ids: list[UUID]
    topic_content: dict[str, Any] | None
    census: CensusBody | None
