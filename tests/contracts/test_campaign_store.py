"""What every campaign store promises."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
import sqlalchemy as sa

from kernel.ids import UserId, new_id
from kernel.notices import Urgency
from notifications.adapters.campaign_fillings import FILLINGS
from notifications.adapters.sql_audit import SqlAudit
from notifications.audit.types import SYSTEM, AuditQuery, Deed
from notifications.campaign import Campaign, CampaignState
from notifications.campaign_plan import plan_of
from notifications.errors import IdempotencyMismatch
from notifications.pushes import PushState, Settlement
from notifications.types import Outcome, Route, Text, TokenFault, Verdict
from tests.support.factories_notifications import AMINA, Room, registration
from tests.support.providers import FakeProvider

DEED = Deed(SYSTEM, "campaign.touched", "campaign:x")
FRESH = timedelta(days=30)


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def store(room):
    return room.campaigns


@pytest.fixture
def create(store, clock):
    async def create(*, key=None, digest="d", **changes):
        campaign = Campaign(
            id=new_id(clock.now()),
            name="Salon du mariage",
            texts={"fr": Text("Salon", "Vendredi"), "ar": Text("صالون", "الجمعة")},
            locales=(),
            link="/salon",
            data={"k": "v"},
            state=CampaignState.DRAFT,
            created_at=clock.now(),
            expires_after=3600.0,
        )
        made = replace(campaign, **changes)
        return await store.create(made, key=key or str(made.id), digest=digest, deed=DEED)

    return create


@pytest.fixture
def expand(store, clock):
    async def expand(*, limit=100):
        plan = partial(plan_of, now=clock.now())
        return await store.expand(plan, fresh=FRESH, limit=limit)

    return expand


async def test_a_campaign_is_read_as_it_was_written(store, create):
    campaign = await create(locales=("ar", "fr-DZ"))

    assert await store.get(campaign.id) == campaign
    assert await store.get(uuid4()) is None


async def test_the_same_key_makes_one_campaign_and_refuses_another(store, create):
    first = await create(key="k", digest="1")

    assert await create(key="k", digest="1") == first
    with pytest.raises(IdempotencyMismatch):
        await create(key="k", digest="2", name="another")


async def test_a_draft_plans_nothing_and_a_started_one_plans_for_everybody(
    room, store, create, expand, clock
):
    await room.phones(7)
    campaign = await create()
    assert await expand() == 0

    started = await store.run(campaign.id, now=clock.now(), deed=DEED)
    assert started.expires_at == clock.now() + timedelta(hours=1)

    assert await expand() == 7
    assert await expand() == 0
    assert await store.counts(campaign.id) == {PushState.QUEUED: 7}
    assert (await store.get(campaign.id)).planned_at is not None


async def test_chunks_neither_repeat_nor_skip_a_device_however_many_expand(
    room, store, create, expand, clock
):
    await room.phones(40)
    campaign = await create()
    await store.run(campaign.id, now=clock.now(), deed=DEED)

    for _ in range(20):
        if sum(await asyncio.gather(*(expand(limit=3) for _ in range(3)))) == 0:
            break

    assert await store.counts(campaign.id) == {PushState.QUEUED: 40}


async def test_a_chunk_that_fails_leaves_no_trace(room, store, create, expand, clock):
    await room.phones(5)
    campaign = await create()
    await store.run(campaign.id, now=clock.now(), deed=DEED)

    def broken(*told):
        notifications, pushes = plan_of(*told, now=clock.now())
        # Refused by the database after the notifications were written.
        return notifications, [*pushes[:-1], replace(pushes[-1], collapse_key=None)]

    with pytest.raises(sa.exc.IntegrityError):
        await store.expand(broken, fresh=FRESH, limit=3)

    assert await store.counts(campaign.id) == {}
    while await expand(limit=3):
        pass
    assert await store.counts(campaign.id) == {PushState.QUEUED: 5}


async def test_the_devices_of_one_user_share_a_notification_across_chunks(
    room, store, create, expand, clock
):
    for number in range(3):
        await room.register(AMINA, registration(number))
    campaign = await create()
    await store.run(campaign.id, now=clock.now(), deed=DEED)

    while await expand(limit=1):
        pass

    assert await store.counts(campaign.id) == {PushState.QUEUED: 3}
    claim = await room.pushes.claim(
        Route.FCM, Urgency.MARKETING, now=clock.now(), lease=timedelta(minutes=1), limit=9
    )
    found = [await room.ledger.notification(held.id) for held, _ in claim.pushes]
    assert len({notification.id for notification, _ in found}) == 1


async def test_only_devices_that_speak_a_wanted_language_are_targeted(
    room, store, create, expand, clock
):
    for number, locale in enumerate(["ar-DZ", "ar", "arn", "fr-DZ", "fr-FR", "en"]):
        await room.register(UserId(locale), registration(number, locale=locale))
    campaign = await create(locales=("ar", "fr-DZ"))
    await store.run(campaign.id, now=clock.now(), deed=DEED)

    assert await expand() == 3
    counts = await store.counts(campaign.id)
    assert counts == {PushState.QUEUED: 3}


async def test_stale_disabled_and_later_devices_are_left_out(room, store, create, expand, clock):
    await room.register(UserId("stale"), registration(1))
    clock.move(days=31)
    gone = await room.register(UserId("gone"), registration(2))
    await room.devices.disable([TokenFault(gone.id, 1, "UNREGISTERED")], now=clock.now())
    await room.register(UserId("live"), registration(3))
    campaign = await create()
    await store.run(campaign.id, now=clock.now(), deed=DEED)
    clock.move(seconds=1)
    await room.register(UserId("later"), registration(4))

    assert await expand() == 1
    assert await store.counts(campaign.id) == {PushState.QUEUED: 1}


async def claimable(room, clock):
    claim = await room.pushes.claim(
        Route.FCM, Urgency.MARKETING, now=clock.now(), lease=timedelta(minutes=1), limit=1
    )
    return len(claim.pushes)


async def test_a_paused_campaign_is_not_claimed_from_that_moment_and_goes_on_when_started(
    room, store, create, expand, clock
):
    await room.phones(5)
    campaign = await create()
    await store.run(campaign.id, now=clock.now(), deed=DEED)
    await expand()

    await store.halt(campaign.id, cancel=False, now=clock.now(), deed=DEED)
    assert await claimable(room, clock) == 0
    while await store.follow(now=clock.now(), limit=2):
        pass
    assert await store.counts(campaign.id) == {PushState.HELD: 5}

    await store.run(campaign.id, now=clock.now(), deed=DEED)
    while await store.follow(now=clock.now(), limit=2):
        pass
    assert await store.counts(campaign.id) == {PushState.QUEUED: 5}
    assert await claimable(room, clock) == 1


async def test_a_cancelled_campaign_suppresses_what_waits_and_never_comes_back(
    room, store, create, expand, clock
):
    await room.phones(5)
    campaign = await create()
    await store.run(campaign.id, now=clock.now(), deed=DEED)
    await expand(limit=4)
    assert await claimable(room, clock) == 1

    await store.halt(campaign.id, cancel=True, now=clock.now(), deed=DEED)
    assert await claimable(room, clock) == 0
    while await store.follow(now=clock.now(), limit=2):
        pass

    assert await store.counts(campaign.id) == {PushState.SUPPRESSED: 3, PushState.SENDING: 1}
    assert (
        await store.run(campaign.id, now=clock.now(), deed=DEED)
    ).state is CampaignState.CANCELLED
    assert await expand() == 0


async def test_what_is_not_there_is_neither_started_nor_halted(store, clock):
    assert await store.run(uuid4(), now=clock.now(), deed=DEED) is None
    assert await store.halt(uuid4(), cancel=True, now=clock.now(), deed=DEED) is None


async def test_variables_of_users_reach_the_plan_and_are_forgotten_after_it(
    room, store, create, clock
):
    seen = {}

    def noting(_campaign, devices, _said, own):
        seen.update({each.user_id: own.get(each.user_id) for each in devices})
        return [], []

    users = [each.user_id for each in await room.phones(3)]
    campaign = await create(template="sale@1", variables={"n": 1, "who": "x"})
    assert (campaign.template, campaign.variables) == ("sale@1", {"n": 1, "who": "x"})
    await store.fill(
        campaign.id, {users[0]: {"n": 2}, users[1]: {"n": 3}}, now=clock.now(), deed=DEED
    )
    await store.fill(campaign.id, {users[0]: {"n": 2.5, "who": "عمر"}}, now=clock.now(), deed=DEED)
    await store.run(campaign.id, now=clock.now(), deed=DEED)

    assert (
        await store.fill(campaign.id, {users[2]: {"n": 4}}, now=clock.now(), deed=DEED)
    ).state is CampaignState.RUNNING
    while await store.expand(noting, fresh=FRESH, limit=2):
        pass

    assert seen == {users[0]: {"n": 2.5, "who": "عمر"}, users[1]: {"n": 3}, users[2]: None}
    assert await filled(room) == 0
    assert (
        await store.fill(new_id(clock.now()), {users[0]: {"n": 1}}, now=clock.now(), deed=DEED)
        is None
    )


async def test_variables_of_users_are_forgotten_with_a_cancelled_campaign(
    room, store, create, clock
):
    campaign = await create(variables={"n": 1})
    await store.fill(campaign.id, {AMINA: {"n": 2}}, now=clock.now(), deed=DEED)
    assert await filled(room) == 1

    await store.halt(campaign.id, cancel=True, now=clock.now(), deed=DEED)

    assert await filled(room) == 0


async def filled(room):
    counting = sa.select(sa.func.count()).select_from(FILLINGS)
    async with room.database.reading() as connection:
        return await connection.scalar(counting)


async def test_campaigns_are_listed_with_the_newest_first(store, create, clock):
    ids = []
    for _ in range(3):
        ids.insert(0, (await create()).id)
        clock.move(seconds=1)

    first = await store.page(before=None, limit=2)
    rest = await store.page(before=first[-1].id, limit=2)

    assert [each.id for each in (*first, *rest)] == ids


async def test_why_it_stopped_is_kept_until_it_is_resumed(store, create, clock):
    campaign = await create()
    await store.run(campaign.id, now=clock.now(), deed=DEED)

    stopped = await store.halt(
        campaign.id, cancel=False, now=clock.now(), deed=DEED, reason="refused"
    )
    resumed = await store.run(campaign.id, now=clock.now(), deed=DEED, drafts=False)

    assert (stopped.state, stopped.stopped_reason) == (CampaignState.PAUSED, "refused")
    assert (resumed.state, resumed.stopped_reason) == (CampaignState.RUNNING, "")


async def test_only_what_changes_something_is_on_record(room, store, create, clock):
    campaign = await create(key="k")
    await create(key="k")
    for _ in range(2):
        await store.run(campaign.id, now=clock.now(), deed=DEED)
        await store.halt(campaign.id, cancel=True, now=clock.now(), deed=DEED)
    await store.fill(campaign.id, {AMINA: {"n": 1}}, now=clock.now(), deed=DEED)

    audit = SqlAudit(room.database)
    assert len(await audit.page(AuditQuery(), before=None, limit=100)) == 3


async def test_what_was_in_the_air_when_it_was_cancelled_is_not_tried_again(
    room, store, create, expand, clock
):
    await room.phones(2)
    campaign = await create()
    await store.run(campaign.id, now=clock.now(), deed=DEED)
    while await expand():
        pass
    provider = FakeProvider()
    claim = await room.pushes.claim(
        Route.FCM, Urgency.MARKETING, now=clock.now(), lease=timedelta(seconds=60), limit=1
    )
    await store.halt(campaign.id, cancel=True, now=clock.now(), deed=DEED)
    while await store.follow(now=clock.now(), limit=10):
        pass
    (held, _), again = claim.pushes[0], clock.now()
    unsent = Settlement(held, Outcome(Verdict.NOT_SENT, "x"), PushState.RETRY, again)
    await room.pushes.settle([unsent], now=clock.now())

    await room.dispatcher(provider).step()
    while await store.follow(now=clock.now(), limit=10):
        pass

    assert provider.attempts == []
    assert await store.counts(campaign.id) == {PushState.SUPPRESSED: 2}
