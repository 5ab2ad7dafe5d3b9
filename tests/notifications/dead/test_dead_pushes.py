"""Who may see dead pushes, and have them tried again."""

from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from kernel.notices import Urgency
from kernel.workers import Pulse
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_dead_pushes import SqlDeadPushes
from notifications.audit.types import AuditQuery
from notifications.dead.pushes import DeadPushes
from notifications.dead.routes import operations
from notifications.dead.schemas import RedriveDead
from notifications.dead.types import DeadQuery
from notifications.errors import NotificationNotFound
from notifications.pushes import PushState
from notifications.types import DEFAULT_APP, Outcome, Route, Verdict
from tests.support.factories_notifications import AMINA, Room, notice, server, user
from tests.support.providers import ACCEPTED, FakeProvider

OPERATOR = server(Scope.PUSHES)
ALL = DeadQuery()
STRANGERS = [user(AMINA), server(), server(*(set(Scope) - {Scope.PUSHES}))]


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def dead(room, clock):
    return DeadPushes(store=SqlDeadPushes(room.database), clock=clock, pulse=Pulse())


@pytest.fixture
def nothing_dead(sqlite_database, clock):
    """For what is refused before any store is asked."""
    return DeadPushes(store=SqlDeadPushes(sqlite_database), clock=clock, pulse=Pulse())


@pytest.fixture
def fcm():
    return FakeProvider(answers=lambda attempt: Outcome(Verdict.FAILED, "UNAVAILABLE"))


async def died(room, fcm, clock, number=1, **changes):
    """Reminders that the provider failed for an hour."""
    users = [device.user_id for device in await room.phones(number)]
    day = clock.now() + timedelta(days=1)
    words = {"urgency": Urgency.TRANSACTIONAL, "expires_at": day, **changes}
    await room.tell(notice(*users, **words))
    dispatcher = room.dispatcher(fcm)
    for _ in range(12):
        await dispatcher.step()
        clock.move(minutes=15)
    assert await room.states() == {PushState.DEAD: number}


async def listed(dead, query=ALL):
    return list((await dead.page(OPERATOR, query, cursor=None, limit=100)).items)


@pytest.mark.parametrize("principal", STRANGERS)
async def test_only_servers_that_send_pushes_may_look_and_try_again(nothing_dead, principal):
    for asking in (
        nothing_dead.page(principal, ALL, cursor=None, limit=1),
        nothing_dead.inquest(principal, uuid4()),
        nothing_dead.redrive(principal, ALL, lifetime=None, limit=1),
    ):
        with pytest.raises(Denied):
            await asking


async def test_a_dead_push_tells_what_it_said_and_every_attempt(dead, room, fcm, clock):
    await died(room, fcm, clock)

    [push] = await listed(dead)
    found = await dead.inquest(OPERATOR, push.id)

    assert (push.reason, push.attempts) == ("UNAVAILABLE", len(fcm.attempts))
    assert found.push == push
    assert found.content.title == "Zaffa"
    assert [each.number for each in found.attempts] == list(range(1, len(fcm.attempts) + 1))


async def test_a_push_that_lives_has_no_inquest(dead, room, fcm):
    await room.phones(1)
    await room.tell(notice("user-0"))

    with pytest.raises(NotificationNotFound):
        await dead.inquest(OPERATOR, uuid4())
    assert await listed(dead) == []


async def test_one_that_is_tried_again_is_the_same_push_with_new_patience(dead, room, fcm, clock):
    await died(room, fcm, clock)
    before = len(fcm.attempts)

    [push_id] = await dead.redrive(OPERATOR, ALL, lifetime=None, limit=10)
    await room.dispatcher(fcm).step()
    assert await room.states() == {PushState.RETRY: 1}
    clock.move(seconds=20)
    fcm.answers = lambda attempt: ACCEPTED
    await room.dispatcher(fcm).step()

    assert await room.states() == {PushState.ACCEPTED: 1}
    assert set(fcm.copies) == {push_id}
    assert [each.number for each in fcm.attempts] == list(range(1, before + 3))
    assert len({each.collapse_key for each in fcm.attempts}) == 1


async def test_a_chat_push_that_is_tried_again_has_three_tries(dead, room, fcm, clock):
    await died(room, fcm, clock, urgency=Urgency.INTERACTIVE)
    tried = len(fcm.attempts)

    await dead.redrive(OPERATOR, ALL, lifetime=3600.0, limit=10)
    for _ in range(9):
        await room.dispatcher(fcm).step()
        clock.move(seconds=60)

    assert len(fcm.attempts) - tried == 3
    assert await room.states() == {PushState.DEAD: 1}


async def test_what_no_longer_matters_stays_dead_unless_it_matters_anew(dead, room, fcm, clock):
    await died(room, fcm, clock)
    clock.move(days=1)

    assert await dead.redrive(OPERATOR, ALL, lifetime=None, limit=10) == []
    assert len(await dead.redrive(OPERATOR, ALL, lifetime=7200.0, limit=10)) == 1
    fcm.answers = lambda attempt: ACCEPTED
    await room.dispatcher(fcm).step()

    assert fcm.attempts[-1].expires_at == clock.now() + timedelta(hours=2)


async def test_a_push_whose_device_is_gone_is_not_sent_again(dead, room, fcm, clock):
    await died(room, fcm, clock)
    [push] = await listed(dead)
    await room.devices.forget(push.device_id, owner=None)
    before = len(fcm.attempts)

    await dead.redrive(OPERATOR, ALL, lifetime=None, limit=10)
    await room.dispatcher(fcm).step()

    assert len(fcm.attempts) == before
    assert await room.states() == {PushState.SUPPRESSED: 1}


async def test_those_that_died_first_go_first_and_the_rest_stays(dead, room, fcm, clock):
    await died(room, fcm, clock, 5)
    oldest = [each.id for each in reversed(await listed(dead))]

    ids = await dead.redrive(OPERATOR, ALL, lifetime=None, limit=2)

    assert sorted(ids) == sorted(oldest[:2])
    assert await room.states() == {PushState.DEAD: 3, PushState.QUEUED: 2}


@pytest.mark.parametrize(
    ("query", "number"),
    [
        (DeadQuery(reason="UNAVAILABLE"), 3),
        (DeadQuery(urgency=Urgency.TRANSACTIONAL, route=Route.FCM, app_id=DEFAULT_APP), 3),
        (DeadQuery(app_id="shop"), 0),
        (DeadQuery(reason="INTERNAL"), 0),
        (DeadQuery(urgency=Urgency.MARKETING), 0),
        (DeadQuery(push_ids=(uuid4(),)), 0),
    ],
)
async def test_a_query_finds_what_agrees_with_all_of_it(dead, room, fcm, clock, query, number):
    await died(room, fcm, clock, 3)

    assert len(await listed(dead, query)) == number
    assert len(await dead.redrive(OPERATOR, query, lifetime=None, limit=10)) == number


async def test_cursors_lead_through_all_of_them(dead, room, fcm, clock):
    await died(room, fcm, clock, 5)

    found, cursor = [], None
    while True:
        page = await dead.page(OPERATOR, ALL, cursor=cursor, limit=2)
        found += [each.id for each in page.items]
        cursor = page.cursor
        if cursor is None:
            break

    assert found == [each.id for each in await listed(dead)]
    assert len(set(found)) == 5


async def test_trying_again_is_recorded(dead, room, fcm, clock):
    await died(room, fcm, clock)
    await dead.redrive(OPERATOR, ALL, lifetime=None, limit=10)
    await dead.redrive(OPERATOR, ALL, lifetime=None, limit=10)

    records = await SqlAudit(room.database).page(AuditQuery("", "push"), before=None, limit=9)

    assert [each.deed.action for each in records] == ["push.redriven"]


@pytest.mark.parametrize("cursor", ["eA", "bm9uc2Vuc2Ufbm9uc2Vuc2U"])
async def test_a_cursor_of_somebody_elses_making_is_refused(nothing_dead, cursor):
    with pytest.raises(InvalidInput):
        await nothing_dead.page(OPERATOR, ALL, cursor=cursor, limit=10)


@pytest.mark.parametrize(("lifetime", "limit"), [(0.0, 1), (86_401.0, 1), (None, 0), (None, 1001)])
async def test_what_makes_no_sense_is_refused(nothing_dead, lifetime, limit):
    with pytest.raises(InvalidInput):
        await nothing_dead.redrive(OPERATOR, ALL, lifetime=lifetime, limit=limit)


async def test_nobody_tries_all_of_them_again_by_saying_nothing(nothing_dead):
    redrive = next(each for each in operations(nothing_dead) if each.name == "pushes.redrive")

    with pytest.raises(InvalidInput):
        await redrive.run(OPERATOR, RedriveDead())
