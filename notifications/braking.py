"""When a campaign stops by itself: all dispatchers together see that it goes wrong."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from kernel.clock import Clock
from kernel.metrics import Metrics
from notifications.audit.types import SYSTEM, Deed
from notifications.brake import Brake
from notifications.breaker import Hold
from notifications.campaign import CampaignOptions, CampaignState
from notifications.campaign_ports import CampaignStore, TallyStore
from notifications.pushes import Settlement
from notifications.types import Verdict

log = logging.getLogger(__name__)

CAMPAIGNS = 64
"""Campaigns whose attempts are remembered at once."""

SHARED_EVERY = 1.0
"""Seconds after which a dispatcher says again what it saw of a campaign, while it sends it."""

_CONFIGURATION = {
    Verdict.MISCONFIGURED: Hold.MISCONFIGURED,
    Verdict.TOKEN_SUSPECT: Hold.SUSPECT_TOKENS,
}
"""Answers that hold a route when they are many, and with it the campaigns that got them."""


@dataclass(slots=True)
class _Watched:
    """A campaign as this dispatcher sees it. `era` counts how often it was stopped."""

    brake: Brake = field(default_factory=Brake)
    era: int = 0
    shared_at: float = float("-inf")


class Brakes:
    """Pauses the campaigns that go wrong.

    What each dispatcher saw of a campaign is written down now and then, and before anybody is
    stopped, so that neither many dispatchers that each see little nor a single one with bad
    luck decide alone.
    """

    def __init__(
        self,
        *,
        store: CampaignStore,
        tallies: TallyStore,
        clock: Clock,
        metrics: Metrics,
        options: CampaignOptions,
    ) -> None:
        self._store = store
        self._tallies = tallies
        self._clock = clock
        self._options = options
        self._watched: OrderedDict[UUID, _Watched] = OrderedDict()
        self._stopped = metrics.counter(
            "notifications_campaigns_stopped_total", "Campaigns that paused by themselves."
        )

    async def learn(self, settled: Sequence[Settlement], *, hold: Hold | None) -> None:
        """Take settled attempts into account; `hold` is why their route is held, if it is."""
        held: dict[UUID, str] = {}
        seen: set[UUID] = set()
        for each in settled:
            campaign_id = each.push.campaign_id
            if campaign_id is None:
                continue
            seen.add(campaign_id)
            self._watch(campaign_id).brake.record(each.outcome)
            if hold is not None and _CONFIGURATION.get(each.outcome.verdict) is hold:
                held[campaign_id] = f"{each.push.route} is held ({hold}): {each.outcome.reason}"
        for campaign_id in sorted(seen):
            reason = held.get(campaign_id) or await self._judged(campaign_id)
            if reason:
                await self._stop(campaign_id, reason[:255])

    async def _judged(self, campaign_id: UUID) -> str:
        """Why to stop a campaign, by what everybody knows of it."""
        watched, now = self._watch(campaign_id), self._clock.monotonic()
        alone = watched.brake.why_stop(self._options)
        if not alone and now - watched.shared_at < SHARED_EVERY:
            return ""
        watched.shared_at = now
        era, others = await self._tallies.share(
            campaign_id, watched.brake.tally, era=watched.era, now=self._clock.now()
        )
        if era != watched.era:
            # When it was stopped, what went wrong before stopped counting.
            self._watched[campaign_id] = _Watched(era=era, shared_at=now)
            return ""
        return watched.brake.why_stop(self._options, others)

    async def _stop(self, campaign_id: UUID, reason: str) -> None:
        now = self._clock.now()
        era = await self._tallies.clear(campaign_id, now=now)
        self._watched[campaign_id] = _Watched(era=era)
        deed = Deed(
            SYSTEM, "campaign.stopped", f"campaign:{campaign_id}", details={"reason": reason}
        )
        campaign = await self._store.halt(
            campaign_id, cancel=False, now=now, deed=deed, reason=reason
        )
        if campaign is not None and campaign.state is CampaignState.PAUSED:
            self._stopped.inc()
            log.error("campaign stopped", extra={"campaign_id": campaign_id, "reason": reason})

    def _watch(self, campaign_id: UUID) -> _Watched:
        watched = self._watched.get(campaign_id)
        if watched is None:
            watched = self._watched[campaign_id] = _Watched()
            if len(self._watched) > CAMPAIGNS:
                self._watched.popitem(last=False)
        self._watched.move_to_end(campaign_id)
        return watched
