"""When a campaign stops by itself: what became of its last pushes says that it goes wrong."""

import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.options import option
from notifications.audit.types import SYSTEM, Deed
from notifications.breaker import Hold
from notifications.campaign import CampaignState
from notifications.campaign_ports import CampaignStore
from notifications.pushes import Settlement
from notifications.types import Outcome, Verdict

log = logging.getLogger(__name__)

WINDOW = 1000
"""Attempts of a campaign that are looked back on."""

LEAST = 200
"""So many are needed to speak of a share."""

CAMPAIGNS = 64
"""Campaigns whose attempts are remembered at once."""

_FAILED = frozenset({Verdict.REJECTED, Verdict.FAILED, Verdict.AMBIGUOUS, Verdict.MISCONFIGURED})
"""What is held against a campaign. Addresses that are gone are nobody's fault."""

_CONFIGURATION = {
    Verdict.MISCONFIGURED: Hold.MISCONFIGURED,
    Verdict.TOKEN_SUSPECT: Hold.SUSPECT_TOKENS,
}
"""Answers that hold a route when they are many, and with it the campaigns that got them."""


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """When a campaign pauses by itself. Each dispatcher judges by the attempts that it made."""

    stop_after_refusals: int = option(
        50, "So many refusals for one reason among its last 1,000 attempts pause a campaign."
    )
    stop_at_error_share: float = option(
        0.3,
        "This share of failures among its last 1,000 attempts (200 at least) pauses a campaign.",
    )

    def __post_init__(self) -> None:
        if self.stop_after_refusals < 1:
            raise ValueError("stop_after_refusals must be at least 1")
        if not 0 < self.stop_at_error_share <= 1:
            raise ValueError("stop_at_error_share must be above 0 and at most 1")


class Brake:
    """What became of one campaign's last attempts. Pure."""

    def __init__(self, options: CampaignOptions) -> None:
        self._options = options
        self._window: deque[Outcome] = deque()
        self._refused: Counter[str] = Counter()
        self._failed = 0

    def record(self, outcome: Outcome) -> str:
        """Take an answer into account; why to stop, if it is enough."""
        self._window.append(outcome)
        self._count(outcome, 1)
        if len(self._window) > WINDOW:
            self._count(self._window.popleft(), -1)
        if outcome.verdict not in _FAILED:
            return ""
        alike = self._refused[outcome.reason]
        if outcome.verdict is Verdict.REJECTED and alike >= self._options.stop_after_refusals:
            return f"{alike} pushes were refused alike: {outcome.reason}"
        seen = len(self._window)
        if seen >= LEAST and self._failed >= self._options.stop_at_error_share * seen:
            lately = f"{self._failed} of the last {seen} attempts failed"
            return f"{lately}, the last with: {outcome.reason}"
        return ""

    def _count(self, outcome: Outcome, by: int) -> None:
        self._failed += by * (outcome.verdict in _FAILED)
        if outcome.verdict is Verdict.REJECTED:
            self._refused[outcome.reason] += by
            if not self._refused[outcome.reason]:
                del self._refused[outcome.reason]


class Brakes:
    """Pauses the campaigns of which this dispatcher learns that they go wrong."""

    def __init__(
        self, *, store: CampaignStore, clock: Clock, metrics: Metrics, options: CampaignOptions
    ) -> None:
        self._store = store
        self._clock = clock
        self._options = options
        self._brakes: OrderedDict[UUID, Brake] = OrderedDict()
        self._stopped = metrics.counter(
            "notifications_campaigns_stopped_total", "Campaigns that paused by themselves."
        )

    async def learn(self, settled: Sequence[Settlement], *, hold: Hold | None) -> None:
        """Take settled attempts into account; `hold` is why their route is held, if it is."""
        stopping: dict[UUID, str] = {}
        for each in settled:
            campaign_id = each.push.campaign_id
            if campaign_id is None or campaign_id in stopping:
                continue
            reason = self._brake(campaign_id).record(each.outcome)
            if hold is not None and _CONFIGURATION.get(each.outcome.verdict) is hold:
                reason = f"{each.push.route} is held ({hold}): {each.outcome.reason}"
            if reason:
                stopping[campaign_id] = reason[:255]
        for campaign_id, reason in stopping.items():
            # When it is resumed, what went wrong before counts no more.
            del self._brakes[campaign_id]
            await self._stop(campaign_id, reason)

    async def _stop(self, campaign_id: UUID, reason: str) -> None:
        deed = Deed(
            SYSTEM, "campaign.stopped", f"campaign:{campaign_id}", details={"reason": reason}
        )
        now = self._clock.now()
        campaign = await self._store.halt(
            campaign_id, cancel=False, now=now, deed=deed, reason=reason
        )
        if campaign is not None and campaign.state is CampaignState.PAUSED:
            self._stopped.inc()
            log.error("campaign stopped", extra={"campaign_id": campaign_id, "reason": reason})

    def _brake(self, campaign_id: UUID) -> Brake:
        brake = self._brakes.get(campaign_id)
        if brake is None:
            brake = self._brakes[campaign_id] = Brake(self._options)
            if len(self._brakes) > CAMPAIGNS:
                self._brakes.popitem(last=False)
        self._brakes.move_to_end(campaign_id)
        return brake
