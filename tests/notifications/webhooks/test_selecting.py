"""Every push may be told of, and every webhook chooses of which."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from kernel.notices import Urgency
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.sql_dead_pushes import SqlDeadPushes
from notifications.adapters.sql_reports import SqlReports
from notifications.audit.types import SYSTEM, Deed
from notifications.dead.types import DeadQuery, Redrive
from notifications.reports.types import Report, ReportEvent
from notifications.types import AddressKind, Outcome, Verdict
from notifications.webhooks.types import NewsKind, Origin, Selection
from tests.support.advertising import advertised
from tests.support.factories_notifications import AMINA, notice, registration
from tests.support.providers import ACCEPTED, FakeProvider
from tests.support.sending import request, to_topic
from tests.support.telling import BOTH, SERVER, House, events

EVERYTHING = Selection(origins=frozenset(Origin))
DEED = Deed(SYSTEM, "push.redriven", "pushes")


async def everything_pushed(house: House) -> FakeProvider:
    """One push of each origin, accepted: of a send, of chat, of a reminder and of a campaign."""
    room, clock = house.room, house.room.clock
    await room.register(AMINA, registration())
    await room.sends.send(SERVER, request())
    await room.hand_on()
    later = clock.now() + timedelta(hours=1)
    await room.tell(
        notice(AMINA, key="chat", category="chat", expires_at=later),
        notice(
            AMINA,
            key="reminder",
            category="reminders",
            urgency=Urgency.TRANSACTIONAL,
            expires_at=later,
        ),
    )
    await advertised(room)
    provider = FakeProvider()
    await room.dispatcher(provider).step()
    assert len(provider.attempts) == 4
    return provider


async def told_of(house: House) -> list[tuple[str, str, str]]:
    """Origin, urgency and category of all that was told, in order."""
    while await house.sender.step():
        pass
    found = [event for each in house.receiver.told for event in events(each)[1]]
    return sorted((each["origin"], each["urgency"], each["category"]) for each in found)


SEND = ("send", "transactional", "announcement")
CHAT = ("notice", "interactive", "chat")
REMINDER = ("notice", "transactional", "reminders")
CAMPAIGN = ("campaign", "marketing", "marketing")


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        (Selection(), [SEND]),
        (EVERYTHING, [CAMPAIGN, CHAT, REMINDER, SEND]),
        (Selection(frozenset({Origin.CAMPAIGN})), [CAMPAIGN]),
        (Selection(frozenset({Origin.NOTICE})), [CHAT, REMINDER]),
        (Selection(frozenset(Origin), frozenset({Urgency.TRANSACTIONAL})), [REMINDER, SEND]),
        (Selection(frozenset(Origin), categories=frozenset({"reminders"})), [REMINDER]),
    ],
)
async def test_a_webhook_is_told_of_the_pushes_it_chose_and_of_no_other(house, selection, told):
    await house.made(frozenset({NewsKind.OUTCOMES}), selection)

    await everything_pushed(house)

    assert await told_of(house) == told
    async with house.room.database.reading() as connection:
        left = sa.select(sa.func.count()).where(PUSHES.c.untold)
        assert (await connection.execute(left)).scalar_one() == 0


async def test_what_goes_to_a_topic_has_the_category_of_its_send(house):
    await house.made(
        frozenset({NewsKind.OUTCOMES}), Selection(categories=frozenset({"announcement"}))
    )
    await house.room.sends.send(SERVER, to_topic("news"))

    await house.room.dispatcher(FakeProvider(carries=frozenset(AddressKind))).step()

    assert await told_of(house) == [SEND]


async def test_two_webhooks_are_each_told_their_own_of_one_look(house):
    await house.made(frozenset({NewsKind.OUTCOMES}), EVERYTHING)
    await house.made(frozenset({NewsKind.OUTCOMES}), Selection(frozenset({Origin.CAMPAIGN})))

    await everything_pushed(house)
    await told_of(house)

    assert sorted(len(events(each)[1]) for each in house.receiver.told) == [1, 4]


async def test_reports_are_chosen_as_outcomes_are(house):
    await house.made(frozenset({NewsKind.REPORTS}), Selection(frozenset({Origin.CAMPAIGN})))
    provider = await everything_pushed(house)

    now = house.room.clock.now()
    said = [Report(each.push_id, ReportEvent.SHOWN, now) for each in provider.attempts]
    await SqlReports(house.room.database).keep(said, now=now)

    assert await told_of(house) == [CAMPAIGN]


async def test_what_becomes_of_a_push_without_an_attempt_is_told_too(house):
    await house.made(BOTH, EVERYTHING)
    await house.room.register(AMINA, registration())
    soon = house.room.clock.now() + timedelta(minutes=1)
    await house.room.tell(notice(AMINA, category="chat", expires_at=soon))

    house.room.clock.move(minutes=2)
    await house.room.pushes.expire(now=house.room.clock.now(), limit=10)
    await told_of(house)

    (told,) = house.receiver.told
    assert [each["state"] for each in events(told)[1]] == ["expired"]


async def test_a_dead_push_that_is_tried_again_is_told_of_again(house):
    await house.made(BOTH, EVERYTHING)
    await house.room.register(AMINA, registration())
    clock = house.room.clock
    later = clock.now() + timedelta(hours=2)
    await house.room.tell(notice(AMINA, category="chat", expires_at=later))
    await house.room.dispatcher(FakeProvider(answers=lambda _: Outcome(Verdict.FAILED, "x"))).step()
    clock.move(minutes=11)
    await house.room.dispatcher(FakeProvider(answers=lambda _: Outcome(Verdict.FAILED, "x"))).step()

    redrive = Redrive(DeadQuery(), lifetime=None, limit=10)
    dead = SqlDeadPushes(house.room.database)
    ids: list[UUID] = list(await dead.redrive(redrive, deed=DEED, now=clock.now()))
    assert len(ids) == 1
    await house.room.dispatcher(FakeProvider(answers=lambda _: ACCEPTED)).step()
    await told_of(house)

    told = [event for each in house.receiver.told for event in events(each)[1]]
    assert [(UUID(each["push_id"]), each["state"]) for each in told] == [(ids[0], "accepted")]
    assert msgspec.json.decode(house.receiver.told[0][1])["kind"] == "push.outcomes"
