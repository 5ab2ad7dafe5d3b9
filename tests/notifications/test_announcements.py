"""What servers have told to users."""

from uuid import uuid4

import pytest

from kernel.adapters.sql_outbox import SqlOutbox
from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import Urgency
from kernel.relay import Relay, RelayOptions
from kernel.workers import Pulse
from notifications.announcements import Announcement, Announcements
from notifications.errors import (
    IdempotencyMismatch,
    NotificationNotFound,
    PushTooLarge,
    TemplateNotFound,
    VariableMissing,
)
from notifications.pushes import PushState
from tests.support.factories_notifications import AMINA, KARIM, Room, registration, server
from tests.support.providers import FakeProvider

SERVER = server(Scope.PUSHES)


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def announcements(room, clock):
    return Announcements(ledger=room.ledger, shelf=room.shelf, clock=clock, pulse=Pulse())


@pytest.fixture
def relay(room, database, clock):
    return Relay(
        outbox=SqlOutbox(database, clock),
        handlers={"notice": room.intake.handle},
        clock=clock,
        metrics=Metrics(),
        options=RelayOptions(),
        pulse=Pulse(),
    )


def announcement(*user_ids, **changes):
    words = {
        "user_ids": user_ids or (AMINA,),
        "template": "announcement",
        "variables": {"title": "Zaffa", "body": "سلام"},
        "category": "news",
        "urgency": Urgency.TRANSACTIONAL,
        "idempotency_key": "k",
    }
    return Announcement(**{**words, **changes})


async def test_what_is_sent_arrives_and_its_status_can_be_asked_for(room, announcements, relay):
    provider = FakeProvider()
    await room.register(AMINA, registration())

    ids = await announcements.send(SERVER, announcement(AMINA, KARIM))
    await relay.step()
    await room.dispatcher(provider).step()

    notification, (push,) = await announcements.status(SERVER, ids[AMINA])
    assert (notification.user_id, push.state) == (AMINA, PushState.ACCEPTED)
    assert provider.attempts[0].content.body == "سلام"
    assert await announcements.status(SERVER, push.id) == (notification, [push])
    assert (await announcements.status(SERVER, ids[KARIM]))[1] == []


async def test_asking_twice_with_one_key_tells_once_even_much_later(
    room, announcements, relay, clock
):
    await room.register(AMINA, registration())
    first = await announcements.send(SERVER, announcement())
    await relay.step()
    clock.move(hours=2)
    await relay.step()

    assert await announcements.send(SERVER, announcement()) == first
    await relay.step()

    assert await room.states() == {PushState.QUEUED: 1}


async def test_the_same_key_with_other_words_is_refused_and_sends_nothing(
    room, announcements, relay
):
    await announcements.send(SERVER, announcement())

    with pytest.raises(IdempotencyMismatch):
        await announcements.send(SERVER, announcement(KARIM))

    assert await relay.step() == 1


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"user_ids": ()}, InvalidInput),
        ({"user_ids": tuple(map(UserId, map(str, range(501))))}, InvalidInput),
        ({"user_ids": ("white space",)}, InvalidInput),
        ({"template": "unheard.of"}, TemplateNotFound),
        ({"variables": {"title": "x"}}, VariableMissing),
        ({"data": {"k": "v" * 5000}}, PushTooLarge),
        ({"data": {"google.sent": "v"}}, InvalidInput),
        ({"data": {"push_id": "v"}}, InvalidInput),
        ({"data": {"": "v"}}, InvalidInput),
        ({"expires_after": 0.0}, InvalidInput),
        ({"expires_after": 86_401.0}, InvalidInput),
        ({"expires_after": 1e300}, InvalidInput),
        ({"expires_after": 3_601.0, "urgency": Urgency.INTERACTIVE}, InvalidInput),
    ],
)
async def test_what_could_not_be_sent_is_refused_at_once(announcements, relay, changes, refusal):
    asked = announcement()
    words = {name: getattr(asked, name) for name in asked.__slots__}

    with pytest.raises(refusal):
        await announcements.send(SERVER, Announcement(**{**words, **changes}))

    assert await relay.step() == 0


async def test_what_is_not_there_is_not_found(announcements):
    with pytest.raises(NotificationNotFound):
        await announcements.status(SERVER, uuid4())


async def test_the_scope_of_another_room_is_not_enough(announcements):
    stranger = server(*(set(Scope) - {Scope.PUSHES}))

    with pytest.raises(Denied):
        await announcements.send(stranger, announcement())
    with pytest.raises(Denied):
        await announcements.status(stranger, uuid4())
