"""A campaign's values, and what operators choose for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kernel.notices import Variables
from kernel.options import option
from notifications.types import Text


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """When a campaign begins, and when it pauses by itself: all dispatchers judge it together."""

    beside_quarters: bool = option(
        True,
        "A campaign to more than 1,000 devices that starts within two minutes of a quarter of an"
        " hour tells the others after these: providers are busiest then.",
    )

    stop_after_refusals: int = option(
        50,
        "So many refusals for one reason among the last 1,000 attempts of each dispatcher pause a"
        " campaign.",
    )
    stop_at_error_share: float = option(
        0.3,
        "This share of failures among the last 1,000 attempts of each dispatcher (200 at least"
        " together) pauses a campaign.",
    )

    def __post_init__(self) -> None:
        if self.stop_after_refusals < 1:
            raise ValueError("stop_after_refusals must be at least 1")
        if not 0 < self.stop_at_error_share <= 1:
            raise ValueError("stop_at_error_share must be above 0 and at most 1")


class CampaignState(StrEnum):
    """A campaign runs until its audience is planned and its pushes are settled or expired."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Campaign:
    """Words for everybody whose device speaks one of `locales`; no locale means everybody.

    `texts` hold one `Text` per locale: those of `template` when it was written down, if it was
    worded by one. `variables` fill them, for some users with their own. `cursor` is the last
    device that was planned for, `planned_at` when there were no more.
    """

    id: UUID
    name: str
    texts: Mapping[str, Text]
    locales: tuple[str, ...]
    link: str
    data: Mapping[str, str]
    state: CampaignState
    created_at: datetime
    expires_after: float
    """Seconds from the start after which nothing of it is sent any more."""
    template: str = ""
    variables: Variables = field(default_factory=dict)
    started_at: datetime | None = None
    expires_at: datetime | None = None
    planned_at: datetime | None = None
    cursor: UUID | None = None
    stopped_reason: str = ""
    """Why it was paused, if nobody asked for that."""
    per_second: float = 0.0
    """Attempts a second, on all routes and dispatchers together; 0 is as fast as it goes."""
