"""Campaigns from their words to their counts."""

import asyncio
from uuid import uuid4

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from kernel.ids import UserId
from kernel.workers import Pulse
from notifications.adapters.sql_audit import SqlAudit
from notifications.audit.types import AuditQuery
from notifications.campaign import CampaignState
from notifications.campaigns import CampaignWorker
from notifications.errors import (
    CampaignNotFound,
    CampaignOver,
    CampaignUnstarted,
    IdempotencyMismatch,
    PushTooLarge,
    TemplateInvalid,
    VariableMissing,
)
from notifications.pushes import PushState
from notifications.types import (
    Outcome,
    Text,
    Verdict,
)
from tests.support.advertising import OPERATOR, campaign_words, campaigns_in
from tests.support.factories_notifications import AMINA, Room, registration, server
from tests.support.providers import ACCEPTED, FakeProvider


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def campaigns(room):
    return campaigns_in(room)


@pytest.fixture
def worker(room, clock):
    return CampaignWorker(store=room.campaigns, clock=clock, pulse=Pulse(), planned=room.pulse)


@pytest.fixture
def create(campaigns):
    async def create(*, key="k", principal=OPERATOR, **changes):
        texts = {"fr": Text("Salon", "Vendredi"), "ar": Text("صالون", "الجمعة")}
        words = campaign_words(**{"texts": texts, "idempotency_key": key, **changes})
        return await campaigns.create(principal, **words)

    return create


async def all_done(worker):
    for _ in range(50):
        if await worker.step() == 0:
            return
    raise AssertionError("the worker always finds something to do")


async def test_a_campaign_reaches_everybody_in_their_language_and_counts_add_up(
    room, campaigns, worker, create
):
    provider = FakeProvider(
        answers=lambda attempt: (
            Outcome(Verdict.REJECTED, "x") if attempt.address == "token-3" else ACCEPTED
        )
    )
    for number, locale in enumerate(["ar-DZ", "fr-DZ", "en", "fr"]):
        await room.register(UserId(locale), registration(number, locale=locale))
    campaign = (await create()).campaign
    await campaigns.start(OPERATOR, campaign.id)

    await all_done(worker)
    await room.dispatcher(provider).step()

    progress = await campaigns.get(OPERATOR, campaign.id)
    assert progress.counts == {PushState.ACCEPTED: 3, PushState.REJECTED: 1}
    assert progress.targeted == 4
    titles = {each.address: each.content.title for each in provider.attempts}
    assert titles == {
        "token-0": "صالون",
        "token-1": "Salon",
        "token-2": "Salon",
        "token-3": "Salon",
    }
    assert {each.content.data["campaign_id"] for each in provider.attempts} == {str(campaign.id)}


async def test_starting_twice_sends_once(room, campaigns, worker, create):
    provider = FakeProvider()
    await room.phones(3)
    campaign = (await create()).campaign

    for _ in range(2):
        await campaigns.start(OPERATOR, campaign.id)
        await all_done(worker)
        await room.dispatcher(provider).step()

    assert set(provider.copies.values()) == {1}
    assert len(provider.attempts) == 3


async def test_several_workers_plan_each_device_once(room, campaigns, create, clock):
    await room.phones(30)
    await campaigns.start(OPERATOR, (await create()).campaign.id)
    workers = [
        CampaignWorker(store=room.campaigns, clock=clock, pulse=Pulse(), planned=Pulse())
        for _ in range(3)
    ]

    for _ in range(3):
        await asyncio.gather(*(each.step() for each in workers))

    assert await room.states() == {PushState.QUEUED: 30}


async def test_a_paused_campaign_sends_nothing_and_then_the_rest(room, campaigns, worker, create):
    provider = FakeProvider()
    await room.phones(8)
    campaign = (await create()).campaign
    await campaigns.start(OPERATOR, campaign.id)
    await all_done(worker)
    dispatcher = room.dispatcher(provider, marketing_width=3)
    await dispatcher.step()

    paused = await campaigns.pause(OPERATOR, campaign.id)
    await dispatcher.step()
    await all_done(worker)
    assert paused.campaign.state is CampaignState.PAUSED
    assert await room.states() == {PushState.ACCEPTED: 3, PushState.HELD: 5}

    await campaigns.start(OPERATOR, campaign.id)
    await all_done(worker)
    for _ in range(2):
        await dispatcher.step()
    assert await room.states() == {PushState.ACCEPTED: 8}
    assert set(provider.copies.values()) == {1}


async def test_only_a_campaign_that_was_started_is_resumed_or_paused(campaigns, create):
    campaign = (await create()).campaign

    for action in (campaigns.resume, campaigns.pause):
        with pytest.raises(CampaignUnstarted):
            await action(OPERATOR, campaign.id)
    await campaigns.start(OPERATOR, campaign.id)
    await campaigns.pause(OPERATOR, campaign.id)
    resumed = await campaigns.resume(OPERATOR, campaign.id)

    assert resumed.campaign.state is CampaignState.RUNNING


async def test_what_is_done_to_a_campaign_is_on_record(room, campaigns, create):
    campaign = (await create(variables={"n": 1})).campaign
    await campaigns.fill(OPERATOR, campaign.id, {AMINA: {"n": 2}})
    for action in (campaigns.start, campaigns.pause, campaigns.resume, campaigns.cancel):
        await action(OPERATOR, campaign.id)

    records = await SqlAudit(room.database).page(AuditQuery(), before=None, limit=100)

    assert {each.deed.action for each in records} == {
        "campaign.created",
        "campaign.filled",
        "campaign.started",
        "campaign.paused",
        "campaign.resumed",
        "campaign.cancelled",
    }
    assert {each.deed.subject for each in records} == {f"campaign:{campaign.id}"}
    assert {each.deed.actor for each in records} == {f"key:{OPERATOR.key_id}"}


async def test_a_cancelled_campaign_stays_cancelled(room, campaigns, worker, create):
    await room.phones(4)
    campaign = (await create()).campaign
    await campaigns.start(OPERATOR, campaign.id)
    await all_done(worker)

    await campaigns.cancel(OPERATOR, campaign.id)
    await all_done(worker)

    progress = await campaigns.cancel(OPERATOR, campaign.id)
    assert progress.counts == {PushState.SUPPRESSED: 4}
    for action in (campaigns.start, campaigns.resume, campaigns.pause):
        with pytest.raises(CampaignOver):
            await action(OPERATOR, campaign.id)


async def test_a_campaign_ends_with_its_time(room, campaigns, worker, create, clock):
    provider = FakeProvider()
    await room.phones(4)
    campaign = (await create(expires_after=60.0)).campaign
    await campaigns.start(OPERATOR, campaign.id)
    await all_done(worker)

    clock.move(seconds=60)
    await room.dispatcher(provider).step()
    await room.upkeep.step()

    assert provider.attempts == []
    assert (await campaigns.get(OPERATOR, campaign.id)).counts == {PushState.EXPIRED: 4}


async def test_the_same_key_gives_the_first_campaign_and_refuses_other_words(create):
    first = await create()

    assert await create() == first
    assert await create(key="other") != first
    assert await create(principal=other_server()) != first
    with pytest.raises(IdempotencyMismatch):
        await create(locales=("ar",))


def other_server():
    operator = server(Scope.CAMPAIGNS)
    return type(operator)(key_id=uuid4(), scopes=operator.scopes)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"texts": {}}, TemplateInvalid),
        ({"texts": {"fr": Text(" ", "")}}, TemplateInvalid),
        ({"texts": {"fr": Text("{", "")}}, TemplateInvalid),
        ({"texts": {"fr": Text("{name}", "")}}, VariableMissing),
        ({"texts": {"français": Text("x", "")}}, InvalidInput),
        ({"locales": ("x",)}, InvalidInput),
        ({"data": {"k": "v" * 5000}}, PushTooLarge),
        ({"data": {"google.sent": "v"}}, InvalidInput),
        ({"data": {"push_id": "v"}}, InvalidInput),
        ({"data": {"": "v"}}, InvalidInput),
        ({"expires_after": 1.0}, InvalidInput),
        ({"expires_after": float("nan")}, InvalidInput),
    ],
)
async def test_a_campaign_that_could_not_be_sent_is_refused_when_it_is_written(
    create, changes, refusal
):
    with pytest.raises(refusal):
        await create(**changes)


async def test_what_is_not_there_is_not_found(campaigns):
    for action in (
        campaigns.get,
        campaigns.start,
        campaigns.resume,
        campaigns.pause,
        campaigns.cancel,
    ):
        with pytest.raises(CampaignNotFound):
            await action(OPERATOR, uuid4())


async def test_the_scope_of_another_room_is_not_enough(campaigns, create):
    stranger = server(*(set(Scope) - {Scope.CAMPAIGNS}))

    with pytest.raises(Denied):
        await create(principal=stranger)
    for action in (
        campaigns.get,
        campaigns.start,
        campaigns.resume,
        campaigns.pause,
        campaigns.cancel,
    ):
        with pytest.raises(Denied):
            await action(stranger, uuid4())


async def test_the_most_data_that_a_campaign_may_have_can_be_planned(
    room, campaigns, worker, create
):
    """What is refused only when it is planned would stop the worker, and every campaign."""
    await room.phones(1)
    fits, too_much = 1, 5000
    while too_much - fits > 1:
        size = (fits + too_much) // 2
        try:
            largest = await create(key=f"of-{size}", data={"k": "v" * size})
            fits = size
        except PushTooLarge:
            too_much = size

    await campaigns.start(OPERATOR, largest.campaign.id)
    await all_done(worker)

    assert (await campaigns.get(OPERATOR, largest.campaign.id)).targeted == 1
