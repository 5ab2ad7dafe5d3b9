"""What campaigns need from the outside."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Variables
from notifications.audit.types import Deed
from notifications.brake import Tally
from notifications.campaign import Campaign
from notifications.deciding.types import Said
from notifications.pushes import Notification, Push, PushState
from notifications.types import Device

Plan = Callable[
    [Campaign, Sequence[Device], Said, Mapping[UserId, Variables]],
    tuple[Sequence[Notification], Sequence[Push]],
]
"""What a campaign means for some devices, with what their users said and the variables of their
own: pure, and run inside the transaction."""


class CampaignStore(Protocol):
    """Campaigns and how far they got. Every method is one whole transaction.

    What changes something records the deed with it; what changes nothing records nothing.
    """

    async def create(self, campaign: Campaign, *, key: str, digest: str, deed: Deed) -> Campaign:
        """Store a campaign; for a key that was used before, the campaign it made then.

        Raises `IdempotencyMismatch` if it was used with another digest.
        """
        ...

    async def get(self, campaign_id: UUID) -> Campaign | None: ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Campaign]:
        """Campaigns, newest first, from the one before `before` on."""
        ...

    async def fill(
        self,
        campaign_id: UUID,
        variables_of: Mapping[UserId, Variables],
        *,
        now: datetime,
        deed: Deed,
    ) -> Campaign | None:
        """Keep variables of single users, in place of those they had; None if there is none.

        Only a draft's; any other is given back as it is. They are kept until its audience
        is planned, or it is cancelled.
        """
        ...

    async def run(
        self, campaign_id: UUID, *, now: datetime, deed: Deed, drafts: bool = True
    ) -> Campaign | None:
        """Resume a paused one, or with `drafts` start one; as it is now, or None if there is
        none."""
        ...

    async def halt(
        self, campaign_id: UUID, *, cancel: bool, now: datetime, deed: Deed, reason: str = ""
    ) -> Campaign | None:
        """Pause a running one, or cancel any; as it is now, or None if there is none.

        From then on no push of it is claimed. `reason` says why, if nobody asked for it.
        """
        ...

    async def counts(self, campaign_id: UUID) -> Mapping[PushState, int]:
        """Its pushes by state, counted from the pushes themselves."""
        ...

    async def expand(self, plan: Plan, *, fresh: timedelta, limit: int) -> int:
        """Plan one running campaign's pushes for its next devices; how many devices.

        The plan and the cursor move in one transaction, so a crash repeats and skips
        nothing. Devices registered after the start, disabled, or not confirmed within
        `fresh` before it are left out.
        """
        ...

    async def follow(self, *, now: datetime, limit: int) -> int:
        """Hold, release or suppress waiting pushes as their campaign was halted or resumed.

        How many changed; 0 when all are as they should be.
        """
        ...


class TallyStore(Protocol):
    """What all dispatchers saw of campaigns. Every method is one whole transaction."""

    async def share(
        self, campaign_id: UUID, tally: Tally, *, era: int, now: datetime
    ) -> tuple[int, Sequence[Tally]]:
        """Keep what this dispatcher saw, and learn what the others did lately.

        The current era comes first: how often what was seen was cleared. What was seen in an
        earlier one is not kept.
        """
        ...

    async def clear(self, campaign_id: UUID, *, now: datetime) -> int:
        """Let nothing count any more that anybody saw until now; the new era."""
        ...
