"""What every push store promises."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from kernel.adapters.database import Database, DatabaseOptions
from kernel.notices import Urgency
from notifications.adapters.push_rows import PUSHES
from notifications.pushes import PushState, Settlement
from notifications.types import DEFAULT_APP, Environment, Outcome, Route, TokenFault, Verdict
from tests.support.factories_notifications import (
    AMINA,
    KARIM,
    Room,
    apns,
    planned,
    registration,
)
from tests.support.providers import FakeProvider

LEASE = timedelta(seconds=60)
ACCEPTED = Outcome(Verdict.ACCEPTED, provider_id="projects/p/messages/1")


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def store(room):
    return room.pushes


@pytest.fixture
def claim(store, clock):
    async def claim(route=Route.FCM, urgency=Urgency.INTERACTIVE, *, limit=100, **app):
        return await store.claim(route, urgency, now=clock.now(), lease=LEASE, limit=limit, **app)

    return claim


async def plan(room, device, **changes):
    notification, push = planned(device, now=room.clock.now(), **changes)
    assert await room.pushes.plan([notification], [push]) == 1
    return push


def accepted(held):
    return Settlement(held, ACCEPTED, PushState.ACCEPTED)


def retried(held, due_at, verdict=Verdict.FAILED):
    return Settlement(held, Outcome(verdict, "busy"), PushState.RETRY, due_at)


async def test_a_claimed_push_is_everything_its_attempt_needs(room, claim, clock):
    device = await room.register(AMINA, registration())
    push = await plan(room, device)

    ((held, attempt),) = (await claim()).pushes

    assert (held.id, held.number, held.generation) == (push.id, 1, device.generation)
    assert held.first_tried_at == held.started_at == clock.now()
    assert (attempt.push_id, attempt.address) == (push.id, device.address)
    assert (attempt.content, attempt.collapse_key) == (push.content, push.collapse_key)
    assert attempt.expires_at == push.expires_at
    assert await room.states() == {PushState.SENDING: 1}


async def test_planning_the_same_notification_twice_stores_it_once(room, store):
    device = await room.register(AMINA, registration(1))
    other = await room.register(AMINA, registration(2))
    notification, push = planned(device)
    late = replace(push, id=uuid4(), device_id=other.id)

    assert await store.plan([notification], [push]) == 1
    assert await store.plan([notification], [push]) == 0
    assert await store.plan([notification], [push, late]) == 0
    assert await room.states() == {PushState.QUEUED: 1}


async def test_planning_the_same_at_the_same_time_stores_it_once(room, store):
    devices = await room.phones(20)
    pairs = [planned(device) for device in devices]
    forth = ([each for each, _ in pairs], [push for _, push in pairs])
    back = (forth[0][::-1], forth[1][::-1])

    stored = await asyncio.gather(store.plan(*forth), store.plan(*back), store.plan(*forth))

    assert sum(stored) == 20
    assert await room.states() == {PushState.QUEUED: 20}


async def test_what_is_claimed_is_claimed_once_until_its_lease_ends(room, claim):
    for device in await room.phones(50):
        await plan(room, device)

    claims = await asyncio.gather(*(claim(limit=20) for _ in range(4)))

    ids = [held.id for each in claims for held, _ in each.pushes]
    assert len(ids) == len(set(ids)) == 50
    assert (await claim()).pushes == []


async def test_claims_keep_to_their_route_and_class(room, claim):
    production = await room.register(AMINA, apns(1))
    sandbox = await room.register(AMINA, apns(2, environment=Environment.SANDBOX))
    phone = await room.register(AMINA, registration(3))
    await plan(room, production)
    await plan(room, sandbox)
    await plan(room, phone)
    await plan(room, phone, urgency=Urgency.MARKETING)

    found = {
        (route, urgency): len((await claim(route, urgency)).pushes)
        for route in Route
        for urgency in Urgency
    }

    assert {lane for lane, number in found.items() if number} == {
        (Route.APNS, Urgency.INTERACTIVE),
        (Route.APNS_SANDBOX, Urgency.INTERACTIVE),
        (Route.FCM, Urgency.INTERACTIVE),
        (Route.FCM, Urgency.MARKETING),
    }
    assert sum(found.values()) == 4


async def test_claims_keep_to_their_app(room, store, claim, clock):
    phones = [await room.phone_of_app(app_id, number) for number, app_id in enumerate("ab")]
    for phone in phones:
        await plan(room, phone)

    found = await store.waiting(now=clock.now(), app_ids=["a", "b", "c"])
    assert sorted(found) == [(each, Route.FCM, Urgency.INTERACTIVE) for each in "ab"]
    assert (await claim()).pushes == []
    ((held, _),) = (await claim(app_id="b")).pushes
    assert held.device_id == phones[1].id
    assert await store.waiting(now=clock.now(), app_ids=["b"]) == []


async def test_any_number_of_apps_can_be_asked_about(room, store, clock):
    phone = await room.phone_of_app("app-70", 1)
    await plan(room, phone)

    found = await store.waiting(now=clock.now(), app_ids=[f"app-{n}" for n in range(100)])

    assert list(found) == [("app-70", Route.FCM, Urgency.INTERACTIVE)]


async def test_a_push_to_a_phone_that_went_to_another_app_is_suppressed(room, claim):
    phone = await room.phone_of_app("a", 1)
    await plan(room, phone)
    await room.register(AMINA, registration(1))

    found = await claim(app_id="a")

    assert (found.pushes, found.suppressed) == ([], 1)


async def test_lanes_with_something_to_claim_are_known_until_it_is_claimed(
    room, store, claim, clock
):
    phone = await room.register(AMINA, registration())
    apple = await room.register(AMINA, apns(1))
    assert await store.waiting(now=clock.now()) == []
    await plan(room, phone)
    await plan(room, apple, urgency=Urgency.MARKETING)

    assert await store.waiting(now=clock.now() - timedelta(seconds=1)) == []
    both = [
        (DEFAULT_APP, Route.FCM, Urgency.INTERACTIVE),
        (DEFAULT_APP, Route.APNS, Urgency.MARKETING),
    ]
    assert sorted(await store.waiting(now=clock.now())) == sorted(both)
    await claim()
    assert await store.waiting(now=clock.now()) == both[1:]


async def test_the_oldest_due_goes_first(room, claim, clock):
    expected = []
    for device in await room.phones(5):
        expected.append((await plan(room, device)).id)
        clock.move(seconds=1)

    first, second = await claim(limit=2), await claim(limit=3)

    assert [held.id for held, _ in [*first.pushes, *second.pushes]] == expected


async def test_a_settled_push_is_over_and_keeps_its_attempt(room, store, claim, clock):
    push = await plan(room, await room.register(AMINA, registration()))
    ((held, _),) = (await claim()).pushes
    clock.move(seconds=2)

    assert await store.settle([accepted(held)], now=clock.now()) == {push.id}

    _, (record,) = await room.ledger.notification(push.id)
    (attempt,) = record.attempts
    assert (record.state, record.settled_at) == (PushState.ACCEPTED, clock.now())
    assert (attempt.verdict, attempt.provider_id) == (Verdict.ACCEPTED, "projects/p/messages/1")
    assert attempt.settled_at - attempt.started_at == timedelta(seconds=2)
    clock.move(hours=5)
    assert (await claim()).pushes == []


async def test_settling_twice_counts_once(room, store, claim, clock):
    await plan(room, await room.register(AMINA, registration()))
    ((held, _),) = (await claim()).pushes

    first, second = await asyncio.gather(
        *(store.settle([accepted(held)], now=clock.now()) for _ in range(2))
    )

    assert sorted([len(first), len(second)]) == [0, 1]
    assert len(await room.attempts()) == 1


async def test_a_retry_waits_until_it_is_due_and_counts_its_attempts(room, store, claim, clock):
    await plan(room, await room.register(AMINA, registration()))
    ((held, _),) = (await claim()).pushes
    due_at = clock.now() + timedelta(seconds=30)
    await store.settle([retried(held, due_at, Verdict.NOT_SENT)], now=clock.now())

    assert (await claim()).pushes == []
    clock.move(seconds=30)
    ((again, attempt),) = (await claim()).pushes

    assert (again.number, attempt.number, again.unsent, again.ambiguous) == (2, 2, 1, 0)
    assert again.first_tried_at == held.first_tried_at
    assert again.fence > held.fence


async def test_a_stale_fence_is_refused_and_its_neighbours_are_settled(room, store, claim, clock):
    for device in await room.phones(3):
        await plan(room, device)
    early = [held for held, _ in (await claim()).pushes]
    clock.move(seconds=61)
    lost = await store.reclaim(now=clock.now(), lease=LEASE, limit=1)
    await store.settle([retried(lost[0], clock.now(), Verdict.AMBIGUOUS)], now=clock.now())
    ((again, _),) = (await claim()).pushes

    settled = await store.settle([accepted(each) for each in early], now=clock.now())

    assert settled == {each.id for each in early} - {lost[0].id}
    assert await room.states() == {PushState.ACCEPTED: 2, PushState.SENDING: 1}
    assert await store.settle([accepted(again)], now=clock.now()) == {again.id}


async def test_a_lease_that_ended_may_be_settled_until_somebody_takes_it_over(
    room, store, claim, clock
):
    await plan(room, await room.register(AMINA, registration()))
    ((held, _),) = (await claim()).pushes
    clock.move(minutes=10)

    assert await store.settle([accepted(held)], now=clock.now()) == {held.id}
    assert await store.reclaim(now=clock.now(), lease=LEASE, limit=9) == []


async def test_only_ended_leases_are_reclaimed_and_by_one_only(room, store, claim, clock):
    for device in await room.phones(10):
        await plan(room, device)
    await claim(limit=6)
    clock.move(seconds=61)
    await claim(limit=4)

    found = await asyncio.gather(
        *(store.reclaim(now=clock.now(), lease=LEASE, limit=4) for _ in range(3))
    )

    ids = [held.id for some in found for held in some]
    assert len(ids) == len(set(ids)) == 6


async def test_a_push_goes_to_the_address_its_device_has_now(room, claim):
    device = await room.register(AMINA, registration(address="before"))
    await plan(room, device)
    await room.register(AMINA, registration(address="after"))

    ((held, attempt),) = (await claim()).pushes

    assert (attempt.address, held.generation) == ("after", 2)


@pytest.mark.parametrize("fate", ["moved", "forgotten", "disabled", "rerouted"])
async def test_a_push_whose_device_is_gone_is_suppressed(room, claim, clock, fate):
    device = await room.register(AMINA, registration())
    push = await plan(room, device)
    match fate:
        case "moved":
            await room.register(KARIM, registration())
        case "forgotten":
            await room.devices.forget(device.id, owner=AMINA)
        case "disabled":
            fault = TokenFault(device.id, 1, "UNREGISTERED")
            assert await room.devices.disable([fault], now=clock.now()) == 1
        case "rerouted":
            await room.register(AMINA, apns(1))

    found = await claim()

    assert (list(found.pushes), found.suppressed) == ([], 1)
    _, (record,) = await room.ledger.notification(push.id)
    assert (record.state, record.reason) == (PushState.SUPPRESSED, "device_gone")
    assert record.attempts == []


async def test_a_push_that_may_have_arrived_is_in_doubt_when_its_device_is_gone(
    room, store, claim, clock
):
    device = await room.register(AMINA, registration())
    push = await plan(room, device)
    ((held, _),) = (await claim()).pushes
    await store.settle([retried(held, clock.now(), Verdict.AMBIGUOUS)], now=clock.now())
    await room.devices.forget(device.id, owner=AMINA)

    assert (await claim()).suppressed == 1

    _, (record,) = await room.ledger.notification(push.id)
    assert record.state is PushState.AMBIGUOUS


@pytest.mark.parametrize("poison", [{"content": "{"}, {"content": '{"title":1,"body":""}'}])
async def test_a_push_that_cannot_be_read_ends_and_holds_up_no_other(room, database, claim, poison):
    first, second = [await plan(room, device) for device in await room.phones(2)]
    async with database.transaction() as connection:
        await connection.execute(PUSHES.update().where(PUSHES.c.id == first.id).values(**poison))

    found = await claim()

    assert [held.id for held, _ in found.pushes] == [second.id]
    assert found.suppressed == 1
    _, (record,) = await room.ledger.notification(first.id)
    assert (record.state, record.reason) == (PushState.DEAD, "unreadable")


async def test_what_no_longer_matters_is_not_claimed_and_expires(room, store, claim, clock):
    device = await room.register(AMINA, registration())
    await plan(room, device, expires_at=clock.now() + timedelta(seconds=10))
    await plan(room, device, expires_at=clock.now() + timedelta(seconds=90))
    clock.move(seconds=10)

    assert await store.expire(now=clock.now(), limit=10) == 1
    assert len((await claim()).pushes) == 1
    clock.move(seconds=90)
    assert await store.expire(now=clock.now(), limit=10) == 0
    assert await room.states() == {PushState.EXPIRED: 1, PushState.SENDING: 1}


async def test_one_that_may_have_arrived_does_not_count_as_expired(room, store, claim, clock):
    device = await room.register(AMINA, registration())
    await plan(room, device, expires_at=clock.now() + timedelta(seconds=60))
    ((held, _),) = (await claim()).pushes
    later = clock.now() + timedelta(seconds=15)
    await store.settle([retried(held, later, Verdict.AMBIGUOUS)], now=clock.now())
    clock.move(seconds=60)

    assert await store.expire(now=clock.now(), limit=10) == 1
    assert await room.states() == {PushState.AMBIGUOUS: 1}


async def test_long_and_broken_words_of_a_provider_are_kept_as_far_as_they_can_be(
    room, store, claim, clock
):
    push = await plan(room, await room.register(AMINA, registration()))
    ((held, _),) = (await claim()).pushes
    outcome = Outcome(Verdict.REJECTED, "\0é\ud800" + "é" * 5000, provider_id="p" * 5000)

    await store.settle([Settlement(held, outcome, PushState.REJECTED)], now=clock.now())

    _, (record,) = await room.ledger.notification(push.id)
    assert record.reason == "é?" + "é" * 126


async def test_ages_tell_of_the_oldest_due_push_of_each_lane(room, claim, clock):
    device = await room.register(AMINA, registration())
    await plan(room, device)
    clock.move(seconds=5)
    await plan(room, device)
    await plan(room, device, urgency=Urgency.MARKETING)
    clock.move(seconds=2)

    assert await room.ledger.ages(now=clock.now()) == {
        (DEFAULT_APP, Route.FCM, Urgency.INTERACTIVE): 7.0,
        (DEFAULT_APP, Route.FCM, Urgency.MARKETING): 2.0,
    }
    await claim()
    assert (DEFAULT_APP, Route.FCM, Urgency.INTERACTIVE) not in await room.ledger.ages(
        now=clock.now()
    )


async def test_pruning_deletes_what_is_old_and_settled(room, store, claim, clock):
    device = await room.register(AMINA, registration())
    old = await plan(room, device)
    ((held, _),) = (await claim()).pushes
    await store.settle([accepted(held)], now=clock.now())
    waiting = await plan(room, device)
    clock.move(days=8)
    recent = await plan(room, device)

    async def prune():
        before = clock.now() - timedelta(days=7)
        return await room.ledger.prune(before=before, campaigns_before=before, limit=10)

    assert await prune() == 1
    assert await room.ledger.notification(old.id) is None
    assert await room.attempts() == []
    assert await room.ledger.notification(waiting.id) is not None
    assert await room.ledger.notification(recent.notification_id) is not None


async def test_however_many_pushes_are_settled_the_dispatchers_read_only_the_others(
    postgres_database_url, clock, metrics
):
    """PostgreSQL's own statistics count the rows that were read."""
    async with opened(postgres_database_url) as database:
        room = Room(database, clock, metrics)
        for device in await room.phones(3):
            await plan(room, device)
        async with database.transaction() as connection:
            await connection.exec_driver_sql(_A_CROWD_OF_SETTLED_PUSHES)
        async with database.engine.connect() as connection:
            await connection.exec_driver_sql("ANALYZE pushes, notifications")
            await connection.commit()
    before = await rows_read(postgres_database_url)

    async with opened(postgres_database_url) as database:
        room = Room(database, clock, metrics)
        for _ in range(5):
            await room.dispatcher(FakeProvider()).step()
            await room.upkeep.step()
            await room.campaigns.expand(nothing, fresh=LEASE, limit=100)
            await room.campaigns.follow(now=clock.now(), limit=100)
        assert (await room.states())[PushState.ACCEPTED] == 3

    # `states` itself reads all of them, once.
    assert 0 <= await rows_read(postgres_database_url) - before - 50_003 < 200


_A_CROWD_OF_SETTLED_PUSHES = """
    WITH crowd AS (
        INSERT INTO notifications
        SELECT gen_random_uuid(), 'u', 't', 'c', 'interactive', now(), now(), NULL
        FROM generate_series(1, 50000)
        RETURNING id
    )
    INSERT INTO pushes (id, notification_id, user_id, device_id, route, urgency, state, content,
        collapse_key, created_at, due_at, expires_at, attempts, unsent, ambiguous, fence, reason,
        settled_at)
    SELECT gen_random_uuid(), id, 'u', gen_random_uuid(), 'fcm', 'interactive', 'rejected', '{}',
        'c', '2026-03-01', '2026-03-01', '2026-03-02', 1, 0, 0, 1, '', '2026-03-01'
    FROM crowd
"""


_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend'
"""


def nothing(_campaign, _devices):
    return [], []


@asynccontextmanager
async def opened(url):
    database = Database(DatabaseOptions(url=url))
    try:
        yield database
    finally:
        await database.close()


async def rows_read(url):
    """Rows of pushes that sessions which have ended since read, by scan or by index."""
    connection = await asyncpg.connect(url)
    try:
        # Sessions tell what they read when they end, which they do a moment after closing.
        for _ in range(1000):
            if await connection.fetchval(_OTHERS) == 0:
                break
            await asyncio.sleep(0.01)
        return await connection.fetchval(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
            " WHERE relname = 'pushes'"
        )
    finally:
        await connection.close()
