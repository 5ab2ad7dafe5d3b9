"""What servers have pushed, watch and stop."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from kernel.ids import UserId
from notifications.errors import (
    AppNotFound,
    DeviceNotFound,
    IdempotencyMismatch,
    ListNotFound,
    NotificationNotFound,
    SendNotFound,
    SendsLimited,
    TemplateInvalid,
)
from notifications.pushes import PushState
from notifications.sends.drafting import notifications_of
from notifications.sends.limits import LocalLimits, SendOptions
from notifications.sends.types import Audience, Send, SendState
from notifications.types import AddressKind, Outcome, Verdict
from tests.support.factories_notifications import AMINA, KARIM, LINA, registration, server
from tests.support.providers import FakeProvider
from tests.support.sending import SendingRoom, request, to_devices, to_list, to_topic

SERVER = server(Scope.PUSHES)

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is refused or said before the database has a word in it."""


@pytest.fixture
def room(database, clock, metrics):
    return SendingRoom(database, clock, metrics)


async def test_what_is_sent_arrives_and_its_totals_add_up(room):
    provider = FakeProvider()
    await room.register(AMINA, registration(1))
    await room.register(AMINA, registration(2))

    send = await room.sends.send(SERVER, request(AMINA, KARIM))
    assert (await room.sends.status(SERVER, send.id)).state is SendState.PLANNING
    await room.hand_on()
    assert (await room.sends.status(SERVER, send.id)).state is SendState.SENDING
    await room.dispatcher(provider).step()

    status = await room.sends.status(SERVER, send.id)
    assert (status.state, status.is_over) == (SendState.DONE, True)
    assert status.tally.pushes == {PushState.ACCEPTED: 2}
    assert (status.send.targeted, status.tally.told, status.tally.unreachable) == (2, 2, 1)
    assert {each.content.body for each in provider.attempts} == {"سلام"}
    assert await room.deeds() == ["push.sent"]


async def test_each_device_tells_what_became_of_its_push(room):
    await room.register(AMINA, registration(1))
    await room.register(KARIM, registration(2, address="gone"))
    provider = FakeProvider(
        answers=lambda attempt: (
            Outcome(Verdict.TOKEN_GONE, "UNREGISTERED")
            if attempt.address == "gone"
            else Outcome(Verdict.ACCEPTED, provider_id="m/1")
        )
    )
    send = await room.sends.send(SERVER, request(AMINA, KARIM))
    await room.hand_on()
    await room.dispatcher(provider).step()

    page = await room.sends.pushes(SERVER, send.id, states=(), cursor=None, limit=10)
    found = {each.user_id: each.push for each in page.items}
    assert {user: (push.state, push.reason) for user, push in found.items()} == {
        AMINA: (PushState.ACCEPTED, ""),
        KARIM: (PushState.REJECTED, "UNREGISTERED"),
    }
    assert found[AMINA].attempts[0].provider_id == "m/1"
    failed = await room.sends.pushes(
        SERVER, send.id, states={PushState.REJECTED}, cursor=None, limit=10
    )
    assert [each.user_id for each in failed.items] == [KARIM]


async def test_devices_are_told_alone_and_unknown_ones_are_left_out(room):
    wanted = await room.register(AMINA, registration(1))
    await room.register(AMINA, registration(2))
    provider = FakeProvider()

    await room.sends.send(SERVER, to_devices(wanted.id, uuid4()))
    await room.hand_on()
    await room.dispatcher(provider).step()

    assert [each.address for each in provider.attempts] == ["token-1"]
    with pytest.raises(DeviceNotFound):
        await room.sends.send(SERVER, to_devices(uuid4(), idempotency_key="other"))


async def test_a_list_is_told_in_portions_and_nobody_twice(room):
    users = [UserId(f"user-{number:04}") for number in range(1201)]
    await room.lists.replace(SERVER, "guests", users)
    await room.register(users[0], registration(1))
    await room.register(users[-1], registration(2))
    provider = FakeProvider()

    send = await room.sends.send(SERVER, to_list("guests"))
    await room.lists.append(SERVER, "guests", [UserId("user-0000b")])
    await room.hand_on()
    await room.dispatcher(provider).step()

    status = await room.sends.status(SERVER, send.id)
    assert (status.state, status.send.targeted, status.tally.told) == (SendState.DONE, 1202, 1202)
    assert len(provider.attempts) == 2


async def test_who_is_put_on_a_list_after_a_send_came_is_not_told(room, clock):
    await room.lists.replace(SERVER, "guests", [AMINA])
    send = await room.sends.send(SERVER, to_list("guests"))
    clock.move(seconds=1)
    await room.lists.replace(SERVER, "guests", [AMINA, KARIM])

    await room.hand_on()

    assert (await room.sends.status(SERVER, send.id)).send.targeted == 1
    with pytest.raises(ListNotFound):
        await room.sends.send(SERVER, to_list("strangers", idempotency_key="other"))


async def test_a_topic_is_told_once_without_any_device(room):
    provider = FakeProvider(carries=frozenset({AddressKind.FCM_TOKEN, AddressKind.FCM_TOPIC}))

    send = await room.sends.send(SERVER, to_topic("news"))
    await room.dispatcher(provider).step()

    (attempt,) = provider.attempts
    assert (attempt.address_kind, attempt.address) == (AddressKind.FCM_TOPIC, "news")
    status = await room.sends.status(SERVER, send.id)
    assert (status.state, status.tally.pushes) == (SendState.DONE, {PushState.ACCEPTED: 1})
    page = await room.sends.pushes(SERVER, send.id, states=(), cursor=None, limit=10)
    assert (page.items[0].user_id, page.items[0].push.device_id) == (None, None)


async def test_asking_twice_with_one_key_tells_once_even_at_the_same_moment(room):
    await room.register(AMINA, registration())

    sent = await asyncio.gather(*(room.sends.send(SERVER, request()) for _ in range(4)))
    await room.hand_on()
    again = await room.sends.send(SERVER, request())
    await room.hand_on()

    assert {each.id for each in (*sent, again)} == {again.id}
    assert await room.states() == {PushState.QUEUED: 1}
    assert await room.deeds() == ["push.sent"]


async def test_the_same_key_with_another_body_is_refused_and_sends_nothing(room):
    await room.sends.send(SERVER, request())

    with pytest.raises(IdempotencyMismatch):
        await room.sends.send(SERVER, request(KARIM))

    assert await room.relay.step() == 1


async def test_a_key_that_was_forgotten_before_its_send_sends_nothing_that_would_get_lost(
    room, clock
):
    await room.sends.send(SERVER, request())
    await room.hand_on()
    clock.move(hours=24 * 8)
    await room.ledger.prune(before=clock.now(), campaigns_before=clock.now(), limit=0)

    with pytest.raises(IdempotencyMismatch):
        await room.sends.send(SERVER, request())

    await room.ledger.prune(before=clock.now(), campaigns_before=clock.now(), limit=10)
    await room.store.prune(before=clock.now(), limit=10)
    await room.sends.send(SERVER, request())
    await room.hand_on()
    assert (await room.sends.recent(SERVER, cursor=None, limit=2)).items[0].targeted == 1


@ON_SQLITE
async def test_keys_of_different_servers_have_nothing_in_common(room):
    other = replace(SERVER, key_id=uuid4())

    first = await room.sends.send(SERVER, request())
    second = await room.sends.send(other, request(KARIM))

    assert first.id != second.id


async def test_each_of_many_is_taken_or_refused_by_itself(room):
    await room.sends.send(SERVER, request(idempotency_key="used"))

    answers = await room.sends.send_many(
        SERVER,
        [
            request(idempotency_key="1"),
            request(idempotency_key="2", expires_after=-1.0),
            request(KARIM, idempotency_key="used"),
            request(LINA, idempotency_key="3"),
            request(KARIM, idempotency_key="3"),
            request(idempotency_key="1"),
        ],
    )

    assert [type(each) for each in answers] == [
        Send,
        InvalidInput,
        IdempotencyMismatch,
        Send,
        IdempotencyMismatch,
        Send,
    ]
    assert answers[0] == answers[5]
    assert len(await room.deeds()) == 3


async def test_a_send_that_says_nothing_is_refused_as_that(room):
    with pytest.raises(TemplateInvalid):
        await room.sends.send(SERVER, request(variables={"title": "", "body": " "}))

    assert await room.deeds() == []


async def test_a_thousand_at_once_are_taken_and_one_more_is_not(room):
    many = [request(idempotency_key=f"k{number}") for number in range(1000)]

    answers = await room.sends.send_many(SERVER, many)

    assert len({each.id for each in answers}) == 1000
    with pytest.raises(InvalidInput):
        await room.sends.send_many(SERVER, [*many, request()])


async def test_cancelling_stops_what_has_not_left_and_tells_what_has(room):
    for number in range(5):
        await room.register(UserId(f"user-{number}"), registration(number))
    users = [UserId(f"user-{number}") for number in range(5)]
    send = await room.sends.send(SERVER, request(*users))
    await room.hand_on()
    await room.dispatcher(FakeProvider(), transactional_width=2).step()

    status = await room.sends.cancel(SERVER, send.id)

    assert status.state is SendState.CANCELLED
    assert status.tally.pushes == {PushState.ACCEPTED: 2, PushState.SUPPRESSED: 3}
    assert await room.sends.cancel(SERVER, send.id) == status
    assert await room.deeds() == ["push.cancelled", "push.sent"]


async def test_what_is_cancelled_before_it_was_planned_is_never_planned(room):
    await room.register(AMINA, registration())
    await room.lists.replace(SERVER, "guests", [AMINA])
    sent = [
        await room.sends.send(SERVER, request()),
        await room.sends.send(SERVER, to_list("guests", idempotency_key="l")),
    ]

    for send in sent:
        await room.sends.cancel(SERVER, send.id)
    await room.hand_on()

    assert await room.states() == {}


async def test_a_cancellation_that_meets_planning_leaves_nothing_to_send(room):
    users = [UserId(f"user-{number}") for number in range(20)]
    for number, user_id in enumerate(users):
        await room.register(user_id, registration(number))
    for round_ in range(5):
        send = await room.sends.send(SERVER, request(*users, idempotency_key=f"k{round_}"))

        _, status = await asyncio.gather(room.relay.step(), room.sends.cancel(SERVER, send.id))
        await room.hand_on()

        counts = status.tally.pushes
        assert set(counts) <= {PushState.SUPPRESSED}
    provider = FakeProvider()
    await room.dispatcher(provider).step()
    assert provider.attempts == []


async def test_what_was_in_the_air_when_it_was_cancelled_is_not_tried_again(room):
    await room.register(AMINA, registration())
    send = await room.sends.send(SERVER, request())
    await room.hand_on()
    provider = FakeProvider(answers=lambda _: Outcome(Verdict.NOT_SENT, "refused"))
    dispatcher = room.dispatcher(provider)
    provider.silent.add("token-1")
    stepping = asyncio.create_task(dispatcher.step())
    await provider.received(1)

    await room.sends.cancel(SERVER, send.id)
    assert await room.states() == {PushState.SENDING: 1}
    provider.release()
    await stepping
    await dispatcher.step()
    await room.worker.step()

    assert len(provider.attempts) == 1
    assert await room.states() == {PushState.SUPPRESSED: 1}
    assert (await room.sends.status(SERVER, send.id)).is_over


@ON_SQLITE
async def test_following_ends_when_the_send_is_over(room, clock):
    await room.register(AMINA, registration())
    send = await room.sends.send(SERVER, request())
    following = await room.sends.follow(SERVER, send.id)
    seen = [(await anext(following)).state]

    for step in (room.hand_on, room.dispatcher(FakeProvider()).step):
        await step()
        looking = asyncio.create_task(anext(following))
        await clock.asleep()
        clock.move(seconds=1)
        seen.append((await looking).state)

    assert [each.state async for each in following] == []
    assert seen == [SendState.PLANNING, SendState.SENDING, SendState.DONE]


@ON_SQLITE
async def test_a_test_goes_out_at_once_and_is_told_apart(room):
    await room.register(AMINA, registration())

    send = await room.sends.send(SERVER, request(test=True, idempotency_key="test:1"))
    await room.hand_on()

    assert (await room.sends.status(SERVER, send.id)).send.test
    assert await room.deeds() == ["push.tested"]
    with pytest.raises(InvalidInput):
        await room.sends.send(SERVER, request(*map(UserId, "abcdefghijk"), test=True))
    with pytest.raises(InvalidInput):
        await room.sends.send(SERVER, to_topic("news", test=True))


@ON_SQLITE
async def test_a_rehearsal_says_who_would_get_what_and_why_not_and_sends_nothing(room, clock):
    phone = await room.register(AMINA, registration(1))
    stale = await room.register(KARIM, registration(2))
    clock.move(hours=24 * 61)
    await room.register(AMINA, registration(1))

    told = await room.rehearsal.rehearse(SERVER, request(AMINA, KARIM, LINA))

    amina, karim, lina = told.users
    assert [(each.device.id, each.content.body) for each in amina.devices] == [(phone.id, "سلام")]
    assert [(each.device.id, each.reason) for each in karim.devices] == [(stale.id, "device_stale")]
    assert (lina.reason, lina.devices) == ("no_device", [])
    await room.hand_on()
    assert await room.states() == {}
    assert await room.deeds() == []


@ON_SQLITE
async def test_a_rehearsal_refuses_what_sending_would_refuse(room):
    stranger = Audience(topic="news", app_id="strangers")
    with pytest.raises(AppNotFound):
        await room.rehearsal.rehearse(SERVER, request(audience=stranger))
    with pytest.raises(ListNotFound):
        await room.rehearsal.rehearse(SERVER, to_list("strangers"))
    with pytest.raises(InvalidInput):
        await room.rehearsal.rehearse(SERVER, request(expires_after=0.0))
    unknown = uuid4()
    with pytest.raises(DeviceNotFound):
        await room.rehearsal.rehearse(SERVER, to_devices(unknown))
    assert (await room.rehearsal.rehearse(SERVER, to_topic("news"))).content.body == "سلام"


async def test_notifications_are_named_before_they_are_stored(room):
    users = [UserId(f"user-{number}") for number in range(501)]

    send = await room.sends.send(SERVER, request(*users))
    await room.hand_on()

    named = notifications_of(send)
    for user_id in (users[0], users[500]):
        notification, _ = await room.sends.notification(SERVER, named[user_id])
        assert notification.user_id == user_id


async def test_sends_are_listed_newest_first_and_forgotten_with_their_pushes(room, clock):
    first = await room.sends.send(SERVER, request(idempotency_key="1"))
    clock.move(seconds=1)
    second = await room.sends.send(SERVER, request(idempotency_key="2"))
    await room.hand_on()

    page = await room.sends.recent(SERVER, cursor=None, limit=1)
    rest = await room.sends.recent(SERVER, cursor=page.cursor, limit=1)
    assert [each.id for each in (*page.items, *rest.items)] == [second.id, first.id]
    assert rest.cursor is None

    clock.move(hours=24 * 8)
    await room.ledger.prune(before=clock.now(), campaigns_before=clock.now(), limit=10)
    await room.worker.step()
    with pytest.raises(SendNotFound):
        await room.sends.status(SERVER, first.id)


@ON_SQLITE
async def test_what_is_not_there_is_not_found(room):
    with pytest.raises(NotificationNotFound):
        await room.sends.notification(SERVER, uuid4())
    with pytest.raises(SendNotFound):
        await room.sends.status(SERVER, uuid4())
    with pytest.raises(SendNotFound):
        await room.sends.cancel(SERVER, uuid4())


@ON_SQLITE
async def test_the_scope_of_another_room_is_not_enough(room):
    stranger = server(*(set(Scope) - {Scope.PUSHES}))

    with pytest.raises(Denied):
        await room.sends.send(stranger, request())
    with pytest.raises(Denied):
        await room.sends.notification(stranger, uuid4())
    with pytest.raises(Denied):
        await room.rehearsal.rehearse(stranger, request(audience=Audience()))


async def test_a_send_that_is_too_much_is_refused_with_the_limit_and_leaves_nothing(room):
    room.sends._limits = LocalLimits(SendOptions(user_per_minute=1.0), clock=room.clock)
    await room.sends.send(SERVER, request(idempotency_key="1"))

    first, second = await room.sends.send_many(
        SERVER, [request(idempotency_key="2"), request(KARIM, idempotency_key="3")]
    )

    assert isinstance(first, SendsLimited)
    assert first.details == {"limit": "user", "user_id": "amina", "retry_after": 60.0}
    assert second.targeted == 1
    assert len((await room.sends.recent(SERVER, cursor=None, limit=10)).items) == 2
    room.clock.move(minutes=1)
    assert (await room.sends.send(SERVER, request(idempotency_key="2"))).targeted == 1
