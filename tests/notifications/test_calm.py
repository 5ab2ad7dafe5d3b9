"""Large campaigns begin beside the quarters of an hour."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from kernel.identity import Scope
from kernel.workers import Pulse
from notifications.calm import SPREAD, calm_from
from notifications.campaigns import Campaigns, CampaignWorker
from notifications.pushes import PushState
from notifications.types import Text
from tests.support.factories_notifications import Room, server
from tests.support.providers import FakeProvider

OPERATOR = server(Scope.CAMPAIGNS)
TEN = datetime(2026, 11, 27, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "calm"),
    [
        (0, 2),
        (1.99, 2),
        (2, 2),
        (7.5, 7.5),
        (13, 13),
        (13.01, 17),
        (15, 17),
        (31, 32),
        (44, 47),
        (59, 62),
    ],
)
def test_it_is_calm_two_minutes_away_from_a_quarter(minutes: float, calm: float):
    at = TEN + timedelta(minutes=minutes)

    assert calm_from(at, UUID(int=SPREAD)) == TEN + timedelta(minutes=calm)


def test_campaigns_that_waited_begin_each_at_a_moment_of_its_own():
    found = {calm_from(TEN, UUID(int=number)) for number in range(1000)}

    first = TEN + timedelta(minutes=2)
    assert found == {first + timedelta(seconds=each) for each in range(SPREAD)}


async def test_all_but_the_first_of_a_campaign_wait_for_a_calm_moment(
    database, clock, metrics, monkeypatch
):
    monkeypatch.setattr("notifications.campaigns.CHUNK", 2)
    room, provider = Room(database, clock, metrics), FakeProvider()
    assert clock.now().minute == 0
    await room.phones(5)
    campaigns = Campaigns(store=room.campaigns, shelf=room.shelf, clock=clock, pulse=Pulse())
    created = await campaigns.create(
        OPERATOR,
        name="Salon",
        texts={"fr": Text("Salon", "Vendredi")},
        locales=(),
        link="",
        data={},
        expires_after=3600.0,
        idempotency_key="k",
    )
    await campaigns.start(OPERATOR, created.campaign.id)
    worker = CampaignWorker(
        store=room.campaigns,
        clock=clock,
        pulse=Pulse(),
        planned=room.pulse,
        beside_quarters=True,
    )
    while await worker.step():
        pass

    await room.dispatcher(provider).step()
    assert await room.states() == {PushState.ACCEPTED: 2, PushState.QUEUED: 3}
    clock.move(seconds=120 + SPREAD)
    await room.dispatcher(provider).step()
    assert await room.states() == {PushState.ACCEPTED: 5}
