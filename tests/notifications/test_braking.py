"""Campaigns that stop by themselves, and those that do not."""

from datetime import timedelta

import pytest

from kernel.metrics import Metrics
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_tallies import SqlTallies
from notifications.audit.types import AuditQuery
from notifications.brake import LEAST, WINDOW, Brake
from notifications.braking import Brakes
from notifications.breaker import MISCONFIGURED_IN_A_ROW
from notifications.campaign import CampaignOptions, CampaignState
from notifications.campaigns import Campaigns
from notifications.pushes import PushState, Settlement
from notifications.types import Outcome, Verdict
from tests.support.advertising import OPERATOR, advertised, campaigns_in
from tests.support.factories_notifications import AMINA, Room, held, notice
from tests.support.providers import ACCEPTED, FakeProvider

REFUSED = Outcome(Verdict.REJECTED, "INVALID_ARGUMENT: message.android.ttl")
WRONG = Outcome(Verdict.MISCONFIGURED, "THIRD_PARTY_AUTH_ERROR")


class Judged:
    """A brake, and what it says after each answer."""

    def __init__(self, **options) -> None:
        self._brake = Brake()
        self._options = CampaignOptions(**options)

    def record(self, outcome) -> str:
        self._brake.record(outcome)
        return self._brake.why_stop(self._options)


def brake(**options) -> Judged:
    return Judged(**options)


def test_refusals_alike_stop_it_however_many_are_accepted_between():
    stopping = brake(stop_after_refusals=5)

    said = [stopping.record(each) for _ in range(5) for each in (REFUSED, ACCEPTED, ACCEPTED)]

    assert [bool(each) for each in said].index(True) == 12
    assert said[12] == "5 pushes were refused alike: INVALID_ARGUMENT: message.android.ttl"


def test_refusals_for_many_reasons_do_not_count_together():
    stopping = brake(stop_after_refusals=5)

    for number in range(50):
        assert not stopping.record(Outcome(Verdict.REJECTED, f"reason {number}"))
        assert not stopping.record(ACCEPTED)


def test_what_was_long_ago_no_longer_counts():
    stopping = brake(stop_after_refusals=5)
    for _ in range(4):
        stopping.record(REFUSED)
    for _ in range(WINDOW):
        stopping.record(ACCEPTED)

    assert not stopping.record(REFUSED)


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.AMBIGUOUS, Verdict.REJECTED])
def test_a_share_of_failures_stops_it_once_there_are_enough_to_judge(verdict):
    stopping = brake(stop_at_error_share=0.5, stop_after_refusals=10_000)

    said = [
        bool(stopping.record(each))
        for _ in range(LEAST)
        for each in (ACCEPTED, Outcome(verdict, "x"))
    ]

    assert said.index(True) == LEAST - 1


def test_addresses_that_are_gone_and_busy_providers_are_not_held_against_it():
    stopping = brake(stop_after_refusals=1, stop_at_error_share=0.01)

    for verdict in (Verdict.TOKEN_GONE, Verdict.TOKEN_SUSPECT, Verdict.THROTTLED, Verdict.NOT_SENT):
        for _ in range(LEAST):
            assert not stopping.record(Outcome(verdict, "x"))


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


async def started(room: Room) -> tuple[Campaigns, object]:
    return campaigns_in(room), (await advertised(room)).id


def braking(room: Room, node_id: str = "one", **options) -> Brakes:
    return Brakes(
        store=room.campaigns,
        tallies=SqlTallies(room.database, node_id=node_id),
        clock=room.clock,
        metrics=Metrics(),
        options=CampaignOptions(**options),
    )


async def test_a_campaign_that_is_refused_pauses_with_the_reason_and_chat_goes_on(room):
    await room.phones(12)
    campaigns, campaign_id = await started(room)
    provider = FakeProvider(answers=lambda _: REFUSED)
    dispatcher = room.dispatcher(
        provider, brakes=braking(room, stop_after_refusals=5), marketing_width=3
    )
    for _ in range(5):
        await dispatcher.step()

    stopped = (await campaigns.get(OPERATOR, campaign_id)).campaign
    assert len(provider.attempts) == 6
    assert stopped.state is CampaignState.PAUSED
    assert stopped.stopped_reason == f"6 pushes were refused alike: {REFUSED.reason}"
    (record,) = await SqlAudit(room.database).page(
        AuditQuery(action="campaign.stopped"), before=None, limit=10
    )
    assert (record.deed.actor, record.deed.details["reason"]) == ("system", stopped.stopped_reason)

    later = room.clock.now() + timedelta(hours=1)
    await room.phones(1)
    await room.tell(notice(AMINA, category="chat", expires_at=later))
    await dispatcher.step()
    resumed = await campaigns.resume(OPERATOR, campaign_id)
    assert (resumed.campaign.state, resumed.campaign.stopped_reason) == (CampaignState.RUNNING, "")


async def test_a_route_that_is_held_pauses_the_campaigns_that_found_out(room):
    await room.phones(MISCONFIGURED_IN_A_ROW + 3)
    campaigns, campaign_id = await started(room)
    dispatcher = room.dispatcher(FakeProvider(answers=lambda _: WRONG), brakes=braking(room))

    await dispatcher.step()

    stopped = (await campaigns.get(OPERATOR, campaign_id)).campaign
    assert stopped.state is CampaignState.PAUSED
    assert stopped.stopped_reason == "fcm is held (misconfigured): THIRD_PARTY_AUTH_ERROR"


async def learned(brakes: Brakes, campaign_id, *outcomes) -> None:
    """What a dispatcher would tell its brakes of a batch."""
    settled = [
        Settlement(held(campaign_id=campaign_id), each, PushState.REJECTED) for each in outcomes
    ]
    await brakes.learn(settled, hold=None)


async def state_of(campaigns, campaign_id) -> CampaignState:
    return (await campaigns.get(OPERATOR, campaign_id)).campaign.state


async def test_dispatchers_that_each_see_little_stop_it_together(room, clock):
    campaigns, campaign_id = await started(room)
    nodes = [braking(room, name, stop_at_error_share=0.3) for name in "abcd"]

    for _ in range(4):
        for node in nodes:
            assert await state_of(campaigns, campaign_id) is CampaignState.RUNNING
            answers = [ACCEPTED] * 7 + [Outcome(Verdict.FAILED, "UNAVAILABLE")] * 6
            await learned(node, campaign_id, *answers)
        clock.move(seconds=1)

    stopped = (await campaigns.get(OPERATOR, campaign_id)).campaign
    assert stopped.state is CampaignState.PAUSED
    assert (
        stopped.stopped_reason == "96 of the last 208 attempts failed, the last with: UNAVAILABLE"
    )


async def test_a_dispatcher_with_bad_luck_does_not_stop_what_goes_well_elsewhere(room):
    campaigns, campaign_id = await started(room)
    lucky, unlucky = braking(room, "lucky"), braking(room, "unlucky")
    await learned(lucky, campaign_id, *[ACCEPTED] * 900)

    await learned(unlucky, campaign_id, *[Outcome(Verdict.FAILED, "reset")] * 250)

    assert await state_of(campaigns, campaign_id) is CampaignState.RUNNING
    await learned(unlucky, campaign_id, *[Outcome(Verdict.FAILED, "reset")] * 250)
    assert await state_of(campaigns, campaign_id) is CampaignState.PAUSED


async def test_refusals_alike_count_together(room, clock):
    campaigns, campaign_id = await started(room)
    nodes = [braking(room, name, stop_after_refusals=9) for name in "abc"]

    for node in nodes:
        await learned(node, campaign_id, *[REFUSED] * 3)

    assert await state_of(campaigns, campaign_id) is CampaignState.PAUSED


async def test_what_any_dispatcher_saw_before_it_was_resumed_counts_no_more(room, clock):
    campaigns, campaign_id = await started(room)
    nodes = [braking(room, name, stop_after_refusals=9) for name in "abc"]
    for node in nodes:
        await learned(node, campaign_id, *[REFUSED] * 3)
    await campaigns.resume(OPERATOR, campaign_id)

    for _ in range(2):
        clock.move(seconds=2)
        for node in nodes:
            await learned(node, campaign_id, REFUSED)

    assert await state_of(campaigns, campaign_id) is CampaignState.RUNNING
    clock.move(seconds=2)
    for node in nodes:
        await learned(node, campaign_id, REFUSED, REFUSED)
    assert await state_of(campaigns, campaign_id) is CampaignState.PAUSED


async def test_what_a_dispatcher_saw_long_ago_says_nothing(room, clock):
    campaigns, campaign_id = await started(room)
    gone, here = (braking(room, name, stop_after_refusals=9) for name in ("gone", "here"))
    await learned(gone, campaign_id, *[REFUSED] * 8)

    clock.move(minutes=10)
    await learned(here, campaign_id, REFUSED)

    assert await state_of(campaigns, campaign_id) is CampaignState.RUNNING
