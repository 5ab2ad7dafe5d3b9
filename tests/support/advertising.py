"""Campaigns as tests write them down, start them and plan them."""

from typing import Any

from kernel.identity import Scope
from kernel.workers import Pulse
from notifications.campaign import Campaign
from notifications.campaigns import Campaigns, CampaignWorker
from notifications.types import Text
from tests.support.factories_notifications import Room, server

OPERATOR = server(Scope.CAMPAIGNS)


def campaign_words(**changes: Any) -> dict[str, Any]:
    """What a campaign to everybody is written down with."""
    usual = {
        "name": "Salon",
        "texts": {"fr": Text("Salon", "Vendredi")},
        "locales": (),
        "link": "",
        "data": {},
        "expires_after": 3600.0,
        "idempotency_key": "k",
    }
    return {**usual, **changes}


def campaigns_in(room: Room) -> Campaigns:
    return Campaigns(store=room.campaigns, shelf=room.shelf, clock=room.clock, pulse=Pulse())


async def advertised(room: Room, *, beside_quarters: bool = False, **words: Any) -> Campaign:
    """A campaign that was written down, started and planned to its end."""
    campaigns = campaigns_in(room)
    written = await campaigns.create(OPERATOR, **campaign_words(**words))
    if written.campaign.started_at is None:
        await campaigns.start(OPERATOR, written.campaign.id)
        worker = CampaignWorker(
            store=room.campaigns,
            clock=room.clock,
            pulse=Pulse(),
            planned=room.pulse,
            beside_quarters=beside_quarters,
        )
        while await worker.step():
            pass
    return written.campaign
