"""Campaigns: write, start, pause, cancel, count; and the worker that plans their pushes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId, is_user_id, new_id
from kernel.notices import Urgency, Variables
from kernel.paging import Page, cursor_of, id_in
from kernel.workers import Pulse, Stop, repeat
from notifications.audit.types import Deed, Detail, deed_of
from notifications.campaign import Campaign, CampaignState
from notifications.campaign_plan import check_campaign, plan_of
from notifications.campaign_ports import CampaignStore
from notifications.deciding.categories import USUAL, Rulebook
from notifications.devices import canonical_locale
from notifications.errors import (
    CampaignNotFound,
    CampaignOver,
    CampaignStarted,
    CampaignUnstarted,
    VariableUnknown,
)
from notifications.planning import FRESH
from notifications.pushes import PushState
from notifications.templates.rendering import Beside
from notifications.templates.shelf import Shelf
from notifications.types import Text

LIFETIME = timedelta(hours=24)
"""No campaign is sent longer than this after its start."""

CHUNK = 1000
"""Devices planned in one transaction."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A campaign, and its pushes by state."""

    campaign: Campaign
    counts: Mapping[PushState, int]

    @property
    def targeted(self) -> int:
        """Pushes planned so far, whatever became of them."""
        return sum(self.counts.values())


class Campaigns:
    """What operators may do with campaigns."""

    def __init__(self, *, store: CampaignStore, shelf: Shelf, clock: Clock, pulse: Pulse) -> None:
        self._store = store
        self._shelf = shelf
        self._clock = clock
        self._pulse = pulse

    async def create(
        self,
        principal: Principal,
        *,
        name: str,
        texts: Mapping[str, Text] | None = None,
        template: str = "",
        version: int = 0,
        variables: Variables | None = None,
        locales: tuple[str, ...],
        link: str,
        data: Mapping[str, str],
        expires_after: float,
        idempotency_key: str,
        per_second: float = 0.0,
    ) -> Progress:
        """Write a campaign down without sending anything.

        Either `texts` word it, or a template as it is now, whatever is published later.
        Asking again with the same key gives the first campaign; with the same key and other
        words it is refused.
        """
        principal.require(Scope.CAMPAIGNS)
        if not 60 <= expires_after <= LIFETIME.total_seconds():
            raise InvalidInput("expires_after", "must be between 60 and 86400 seconds")
        if texts and template:
            raise InvalidInput("texts", "or a template word it, not both")
        now = self._clock.now()
        filling: Variables = variables or {}
        words = {canonical_locale(locale): text for locale, text in (texts or {}).items()}
        label = ""
        if template:
            rendering = await self._shelf.rendering(template, filling, version=version)
            rendering.check(filling, Beside(data={}))
            words, label = rendering.whole_texts(), rendering.label
            filling = {**rendering.nothing, **filling}
        campaign = Campaign(
            id=new_id(now),
            name=name,
            texts=words,
            template=label,
            variables=filling,
            locales=tuple(dict.fromkeys(canonical_locale(locale) for locale in locales)),
            link=link,
            data=data,
            state=CampaignState.DRAFT,
            created_at=now,
            expires_after=expires_after,
            per_second=per_second,
        )
        check_campaign(campaign)
        said = (name, sorted(campaign.texts.items()), campaign.locales, link, sorted(data.items()))
        filled = (label, sorted(filling.items())) if filling or label else ()
        paced = (per_second,) if per_second else ()
        written = msgspec.json.encode((said, expires_after, *filled, *paced))
        digest = hashlib.sha256(written).hexdigest()
        key = f"{principal.key_id}:{idempotency_key}"
        deed = _deed(principal, "created", campaign.id, name=name)
        made = await self._store.create(campaign, key=key, digest=digest, deed=deed)
        return await self._progress(made)

    async def fill(
        self, principal: Principal, campaign_id: UUID, variables_of: Mapping[UserId, Variables]
    ) -> Progress:
        """Give single users of a draft variables of their own, which win over everybody's."""
        principal.require(Scope.CAMPAIGNS)
        campaign = _found(await self._store.get(campaign_id))
        for user_id, variables in variables_of.items():
            if not is_user_id(user_id):
                raise InvalidInput("variables_of", "must hold names of users")
            for name in variables:
                if name not in campaign.variables:
                    # Everybody else would lack it.
                    raise VariableUnknown(name, template=campaign.template)
        check_campaign(campaign, variables_of)
        deed = _deed(principal, "filled", campaign_id, users=len(variables_of))
        now = self._clock.now()
        campaign = _found(await self._store.fill(campaign_id, variables_of, now=now, deed=deed))
        if campaign.state is not CampaignState.DRAFT:
            raise CampaignStarted("The campaign has begun; its words stay as they are.")
        return await self._progress(campaign)

    async def start(self, principal: Principal, campaign_id: UUID) -> Progress:
        """Start a draft, or go on with a paused campaign. A running one goes on running."""
        principal.require(Scope.CAMPAIGNS)
        deed = _deed(principal, "started", campaign_id)
        return await self._running(
            await self._store.run(campaign_id, now=self._clock.now(), deed=deed)
        )

    async def resume(self, principal: Principal, campaign_id: UUID) -> Progress:
        """Go on with a paused campaign, also with one that paused by itself."""
        principal.require(Scope.CAMPAIGNS)
        deed = _deed(principal, "resumed", campaign_id)
        return await self._running(
            await self._store.run(campaign_id, now=self._clock.now(), deed=deed, drafts=False)
        )

    async def _running(self, found: Campaign | None) -> Progress:
        campaign = _found(found)
        if campaign.state is CampaignState.DRAFT:
            raise CampaignUnstarted("The campaign has not been started yet.")
        if campaign.state is not CampaignState.RUNNING:
            raise CampaignOver("The campaign was cancelled.")
        self._pulse.beat()
        return await self._progress(campaign)

    async def pause(self, principal: Principal, campaign_id: UUID) -> Progress:
        """Send nothing more of a running campaign until it is started again."""
        principal.require(Scope.CAMPAIGNS)
        deed = _deed(principal, "paused", campaign_id)
        now = self._clock.now()
        campaign = _found(await self._store.halt(campaign_id, cancel=False, now=now, deed=deed))
        if campaign.state is CampaignState.DRAFT:
            raise CampaignUnstarted("The campaign has not been started yet.")
        if campaign.state is CampaignState.CANCELLED:
            raise CampaignOver("The campaign was cancelled.")
        self._pulse.beat()
        return await self._progress(campaign)

    async def cancel(self, principal: Principal, campaign_id: UUID) -> Progress:
        """Send nothing more of a campaign, for good."""
        principal.require(Scope.CAMPAIGNS)
        deed = _deed(principal, "cancelled", campaign_id)
        now = self._clock.now()
        campaign = _found(await self._store.halt(campaign_id, cancel=True, now=now, deed=deed))
        self._pulse.beat()
        return await self._progress(campaign)

    async def get(self, principal: Principal, campaign_id: UUID) -> Progress:
        """A campaign and how far it got."""
        principal.require(Scope.CAMPAIGNS)
        return await self._progress(_found(await self._store.get(campaign_id)))

    async def recent(
        self, principal: Principal, *, cursor: str | None, limit: int
    ) -> Page[Campaign]:
        """Campaigns, newest first."""
        principal.require(Scope.CAMPAIGNS)
        before = None if cursor is None else id_in(cursor)
        found = await self._store.page(before=before, limit=limit + 1)
        more = len(found) > limit
        return Page(found[:limit], cursor_of(str(found[limit - 1].id)) if more else None)

    async def _progress(self, campaign: Campaign) -> Progress:
        return Progress(campaign, await self._store.counts(campaign.id))


class CampaignWorker:
    """Plans the pushes of running campaigns, and lets them follow a pause or a cancellation.

    Safe to run many times. `pulse` beats when a campaign changed in this process, `planned`
    is beaten when there are pushes to send.
    """

    name = "campaigns"

    def __init__(
        self,
        *,
        store: CampaignStore,
        clock: Clock,
        pulse: Pulse,
        planned: Pulse,
        rulebook: Rulebook = USUAL,
        beside_quarters: bool = False,
    ) -> None:
        self._store = store
        self._rulebook = rulebook
        self._beside_quarters = beside_quarters
        self._clock = clock
        self._pulse = pulse
        self._planned = planned

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=1.0, pulse=self._pulse)

    async def step(self) -> int:
        """Advance one campaign by one chunk, and one change by one; 0 when all is done."""
        now = self._clock.now()
        followed = await self._store.follow(now=now, limit=CHUNK)
        planned = await self._store.expand(
            partial(
                plan_of,
                now=now,
                rulebook=self._rulebook,
                beside_quarters=self._beside_quarters,
            ),
            fresh=FRESH[Urgency.MARKETING],
            limit=CHUNK,
        )
        if followed or planned:
            self._planned.beat()
        return followed + planned


def _deed(principal: Principal, done: str, campaign_id: UUID, **details: Detail) -> Deed:
    subject = f"campaign:{campaign_id}"
    return deed_of(principal, f"campaign.{done}", subject, user_id=None, **details)


def _found(campaign: Campaign | None) -> Campaign:
    if campaign is None:
        raise CampaignNotFound("There is no such campaign.")
    return campaign
