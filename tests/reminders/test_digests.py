"""Digests, and the day's budget: what is not told at once is told in one."""

import asyncio
import uuid
from datetime import date, datetime, time, timedelta

import pytest

from kernel.errors import InvalidInput
from notifications.templates.builtin import BUILT_IN
from reminders.adapters.sql_saying import SqlSayingStore
from reminders.budget import Ask, granted, rank_of
from reminders.digests.digest import Plan, digest_of
from reminders.digests.turns import Reader
from reminders.firing import FiringClass, Outcome
from reminders.person import Digests
from reminders.times import resolve
from reminders.types import (
    AtWall,
    CalendarLead,
    Offset,
    OnDay,
    Payment,
    Priority,
    Role,
    TaskDetails,
)
from tests.support.factories_reminders import AMINA, BILAL, event, member, server, user
from tests.support.factories_reminders import task as task_of
from tests.support.metrics import value_of

ALGIERS = "Africa/Algiers"
MONDAY, TUESDAY = date(2026, 4, 6), date(2026, 4, 7)
"""After Ramadan, on no weekend."""


async def prepared(room):
    """Amina's, in summer; it is the third of April, a Friday."""
    room.clock.move(days=33)
    await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ")
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone=ALGIERS, day=date(2026, 7, 10), at=None
    )
    return sheet.event.id


@pytest.fixture
async def wedding(room):
    return await prepared(room)


async def task(room, event_id, title, due, **details):
    return await room.tasks.create(
        user(AMINA), event_id, title=title, due=due, details=TaskDetails(**details)
    )


async def heard(room, day, clock):
    """What is told until a time in Algiers, in steps of a few minutes or hours."""
    end, told = resolve(datetime.combine(day, clock), ALGIERS), []
    while True:
        left = end - room.clock.now()
        near = timedelta(minutes=20) if left <= timedelta(hours=2) else timedelta(hours=2)
        near = timedelta(hours=8) if left > timedelta(hours=24) else near
        await room.planner.step()
        await room.scheduler.step()
        told += await room.notices()
        await room.digester.step()
        told += await room.notices()
        if left <= timedelta(0):
            return told
        room.clock.move(seconds=min(near, left).total_seconds())


def texts(told):
    return [(each.template, dict(each.variables)) for each in told]


async def test_in_the_morning_a_user_is_told_what_the_day_is_about(room, wedding):
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    await task(room, wedding, "Traiteur", AtWall(TUESDAY, time(0, 30), ALGIERS))
    await task(room, wedding, "Salle", OnDay(MONDAY))
    await task(room, wedding, "Robe", OnDay(date(2026, 4, 10)))
    await heard(room, TUESDAY, time(8))

    (digest,) = await heard(room, TUESDAY, time(9))

    assert digest.template == "reminders.digest"
    assert digest.category == "digests"
    assert {name: digest.variables[name] for name in ("today", "overdue", "folded")} == {
        "today": 2,
        "overdue": 1,
        "folded": 0,
    }
    assert [line.split(" · ")[0].strip("\u2068\u2069") for line in _lines(digest)] == [
        "Fleurs",
        "Traiteur",
        "Salle",
        "Robe",
    ]
    assert "mardi 7 avril" in digest.variables["lines"]


async def test_of_several_events_each_task_is_named_with_its_own(room, wedding):
    other = (
        await room.events.create(user(AMINA), title="عقيقة", zone=ALGIERS, day=None, at=None)
    ).event.id
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    await task(room, other, "Gâteaux", OnDay(TUESDAY))
    await heard(room, TUESDAY, time(8))

    (digest,) = await heard(room, TUESDAY, time(9))

    assert _lines(digest) == [
        "\u2068Fleurs\u2069 · \u2068Mariage\u2069 · mardi 7 avril",
        "\u2068Gâteaux\u2069 · \u2068عقيقة\u2069 · mardi 7 avril",
    ]


def _lines(digest):
    return digest.variables["lines"].split("\n")


async def test_a_user_for_whom_there_is_nothing_today_is_not_told(room, wedding, metrics):
    await task(room, wedding, "Robe", OnDay(date(2026, 4, 10)))
    await heard(room, MONDAY, time(8))

    assert await heard(room, TUESDAY, time(8)) == []
    assert value_of(metrics, "reminders_digests_total", outcome="empty") >= 1


async def test_once_a_week_what_lies_ahead_is_told(anywhere):
    room, wedding = anywhere, await prepared(anywhere)
    await room.events.put_member(user(AMINA), wedding, user_id=BILAL, role=Role.VENDOR)
    await room.people.put(user(BILAL), zone=ALGIERS, locale="ar-DZ")
    robe = await task(room, wedding, "Robe", OnDay(date(2026, 4, 8)))
    await room.tasks.update(
        user(AMINA), wedding, robe.id, title="Robe", due=robe.due, assignee_id=BILAL
    )
    await task(room, wedding, "Fleurs", OnDay(date(2026, 4, 9)))
    await heard(room, date(2026, 4, 4), time(1))

    told = await heard(room, date(2026, 4, 5), time(12))

    assert [(each.template, each.user_ids, each.data["digest_on"]) for each in told] == [
        ("reminders.week", (AMINA,), "2026-04-04"),
        ("reminders.week", (BILAL,), "2026-04-05"),
    ]
    assert "الأربعاء 8 أفريل" in told[1].variables["lines"]


async def test_what_matters_little_is_told_in_the_next_digest_and_explained(anywhere):
    room, wedding = anywhere, await prepared(anywhere)
    favour = await task(room, wedding, "Cadeaux", OnDay(date(2026, 4, 20)), priority=Priority.LOW)
    await room.rules.put(
        user(AMINA),
        wedding,
        rule_id=uuid.uuid4(),
        task_id=favour.id,
        user_id=None,
        lead=CalendarLead(Offset(days=14), time(11)),
        exact=False,
    )
    assert await heard(room, MONDAY, time(12)) == []
    explained = await room.explain.of(user(AMINA), wedding, favour.id)
    assert [(each.outcome, each.told_at) for each in explained.settled] == [(Outcome.FOLDED, None)]

    (digest,) = await heard(room, TUESDAY, time(9))

    assert digest.variables["folded"] == 1
    explained = await room.explain.of(user(AMINA), wedding, favour.id)
    assert "next digest" in explained.settled[0].reason
    assert explained.settled[0].told_at is not None
    assert await heard(room, date(2026, 4, 8), time(9)) == []


async def events_of_one_task(room, number):
    """Tasks that are due at once, each with its event."""
    tasks = []
    for each in range(number):
        sheet = await room.events.create(
            user(AMINA), title=f"Fête {each}", zone=ALGIERS, day=None, at=None
        )
        due = OnDay(date(2026, 4, 13))
        tasks.append((sheet.event.id, await task(room, sheet.event.id, "Salle", due, usual=True)))
    return tasks


async def test_three_reminders_a_day_are_enough_and_the_digest_tells_the_others(room, wedding):
    """Of events of their own, or three of a minute would be one."""
    tasks = await events_of_one_task(room, 5)
    payment = Payment(10_000, "DZD")
    await task(room, wedding, "Acompte", OnDay(date(2026, 4, 13)), usual=True, payment=payment)

    told = await heard(room, MONDAY, time(9, 6))
    (digest,) = [each for each in await heard(room, TUESDAY, time(9)) if "digest" in each.template]

    assert len([each for each in told if each.variables["task"] == "Salle"]) == 3
    assert len([each for each in told if each.variables["task"] == "Acompte"]) == 1
    assert digest.variables["folded"] == 2
    settled = [(await room.explain.of(user(AMINA), here, one.id)).settled[0] for here, one in tasks]
    assert sorted(each.outcome for each in settled) == ["fired"] * 3 + ["folded"] * 2
    assert {each.reason for each in settled if each.told_at} == {
        "three reminders a day are enough; the next digest tells it"
    }


async def test_who_wants_no_digest_is_not_told_that_it_will_tell_what_was_one_too_many(room):
    await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ", digest=Digests.OFF)
    tasks = await events_of_one_task(room, 4)

    assert len(await heard(room, MONDAY, time(9, 6))) == 3

    settled = [(await room.explain.of(user(AMINA), here, one.id)).settled[0] for here, one in tasks]
    (folded,) = [each for each in settled if each.outcome is Outcome.FOLDED]
    assert folded.reason == "three reminders a day are enough; the user wants no digest"


async def test_all_that_one_push_too_many_would_tell_is_in_the_digest(room):
    """And the day is the user's: at six in Vancouver it is tomorrow where the events are."""
    room.clock.move(days=33)
    await room.people.put(user(AMINA), zone="America/Vancouver", locale="en-CA")
    due = OnDay(date(2026, 4, 13))
    for number, (titles, clock) in enumerate([(["Salle"], 9)] * 3 + [(["Fleurs"] * 3, 18)]):
        sheet = await room.events.create(
            user(AMINA), title=f"Fête {number}", zone=ALGIERS, day=None, at=None
        )
        for title in titles:
            made = await task(room, sheet.event.id, title, due)
            await room.rules.put(
                user(AMINA),
                sheet.event.id,
                rule_id=uuid.uuid4(),
                task_id=made.id,
                user_id=None,
                lead=CalendarLead(Offset(days=7), time(clock)),
                exact=False,
            )

    evening = resolve(datetime.combine(MONDAY, time(18, 5)), "America/Vancouver")
    told = await room.told_until(evening)
    digests = await heard(room, TUESDAY, time(19))

    assert [each.variables["task"] for each in told if each.template == "task.reminder"] == [
        "Salle"
    ] * 3
    assert [each.template for each in told] == ["task.reminder"] * 3
    assert [each.variables["folded"] for each in digests] == [3]


async def test_a_guest_is_told_of_the_tasks_that_are_theirs(anywhere):
    """What they are not pushed is left to their digest as well."""
    room, wedding = anywhere, await prepared(anywhere)
    await room.events.put_member(user(AMINA), wedding, user_id=BILAL, role=Role.GUEST)
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    cake = OnDay(date(2026, 4, 21))
    favour = await task(room, wedding, "Gâteau", cake, priority=Priority.LOW)
    await room.tasks.update(
        user(AMINA), wedding, favour.id, title="Gâteau", due=cake, assignee_id=BILAL
    )
    lead = CalendarLead(Offset(days=15), time(11))
    rule = {"rule_id": uuid.uuid4(), "task_id": favour.id, "user_id": None}
    await room.rules.put(user(AMINA), wedding, **rule, lead=lead, exact=False)

    told = await heard(room, TUESDAY, time(10))

    (his,) = [each for each in told if each.user_ids == (BILAL,)]
    assert (his.template, his.variables["folded"], len(_lines(his))) == ("reminders.digest", 1, 1)
    assert "Gâteau" in his.variables["lines"]


async def test_a_cancelled_event_is_in_no_digest(room, wedding):
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    await heard(room, MONDAY, time(20))
    await room.events.cancel(user(AMINA), wedding)

    assert await heard(room, TUESDAY, time(12)) == []


async def test_what_was_done_before_the_digest_is_not_in_it(room, wedding):
    flowers = await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    await heard(room, MONDAY, time(20))
    await room.tasks.complete(user(AMINA), wedding, flowers.id)

    assert await heard(room, TUESDAY, time(12)) == []


async def test_after_noon_the_days_digest_is_left_out(room, wedding, metrics):
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    await heard(room, MONDAY, time(20))
    room.clock.move(hours=17)

    assert await heard(room, TUESDAY, time(20)) == []
    assert value_of(metrics, "reminders_digests_total", outcome="late") == 1


@pytest.mark.parametrize("profile", [{"muted": True}, {"digest": Digests.OFF}])
async def test_who_wants_none_gets_none(room, wedding, profile):
    await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ", **profile)
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))

    assert await heard(room, TUESDAY, time(12)) == []


async def test_digests_can_be_paused(room, wedding):
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    await room.operating.pause(server(), FiringClass.DIGEST)

    assert await heard(room, TUESDAY, time(12)) == []


async def test_several_digesters_tell_each_user_once(anywhere):
    room, wedding = anywhere, await prepared(anywhere)
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    await heard(room, TUESDAY, time(8))
    room.clock.move(minutes=50)

    await asyncio.gather(*(room.digester.step() for _ in range(4)))

    assert len(await room.notices()) == 1


@pytest.mark.parametrize("changed", ["profile", "member"])
async def test_a_turn_that_has_come_is_told_whatever_changes_before_it_is_taken(anywhere, changed):
    room, wedding = anywhere, await prepared(anywhere)
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    await heard(room, TUESDAY, time(8))
    room.clock.move(minutes=50)

    if changed == "profile":
        await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ", hijri=True)
    else:
        await room.events.put_member(
            user(AMINA), wedding, user_id=AMINA, role=Role.OWNER, call_at=time(15)
        )
    await room.digester.step()

    assert [each.template for each in await room.notices()] == ["reminders.digest"]


async def test_the_next_digest_can_be_looked_at(room, wedding):
    await task(room, wedding, "Fleurs", OnDay(TUESDAY))
    await heard(room, MONDAY, time(20))

    found = await room.digest.of(user(AMINA))

    assert (found.digest.on, [line.task.title for line in found.digest.lines]) == (
        TUESDAY,
        ["Fleurs"],
    )
    assert found.due_at.date() == TUESDAY
    assert (await room.digest.of(server(), user_id=BILAL)).due_at is None
    with pytest.raises(InvalidInput, match="user_id"):
        await room.digest.of(server())


async def test_a_digest_is_asked_for_in_the_morning(room):
    with pytest.raises(InvalidInput, match="digest_at"):
        await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ", digest_at=time(11, 1))


async def test_however_many_ask_a_day_has_three(database):
    store = SqlSayingStore(database)
    asks = [Ask(AMINA, MONDAY, bytes([number] * 16), 0) for number in range(12)]

    found = await asyncio.gather(*(store.spend([ask]) for ask in asks))
    again = await asyncio.gather(*(store.spend([ask]) for ask in asks))

    assert sum(len(each) for each in found) == 3
    assert again == found
    assert len(await store.spend([Ask(BILAL, MONDAY, b"b" * 16, 0)])) == 1
    assert len(await store.spend([Ask(AMINA, TUESDAY, b"c" * 16, 0)])) == 1


def test_what_is_near_is_told_before_what_is_far_and_that_before_what_is_overdue():
    asks = [Ask(AMINA, MONDAY, bytes([rank] * 16), rank) for rank in (2, 1, 0)]

    assert granted(asks, [b"x" * 16])[1:] == [bytes(16), b"\x01" * 16]
    assert rank_of([FiringClass.NAG, FiringClass.POLICY_FAR]) == 1


@pytest.mark.parametrize(
    "free",
    [
        FiringClass.PAYMENT,
        FiringClass.PAYMENT_LATE,
        FiringClass.EXACT_CALENDAR,
        FiringClass.EXACT_ELAPSED,
        FiringClass.EVENT,
        FiringClass.EVENT_DAY,
        FiringClass.GUEST,
    ],
)
def test_what_is_not_policy_is_free(free):
    assert rank_of([free]) is None
    assert rank_of([FiringClass.POLICY_NEAR, free]) is None


def test_a_digest_is_of_what_is_the_readers_own_and_not_long_overdue():
    about = event()
    members = {each: member(about, each) for each in (AMINA, BILAL)}
    hers = task_of(about, OnDay(TUESDAY), assignee_id=AMINA)
    his, old, ancient = (
        task_of(about, OnDay(TUESDAY - timedelta(days=late)), assignee_id=BILAL)
        for late in (0, 28, 29)
    )
    reader = Reader(BILAL, None, ALGIERS, frozenset({Role.OWNER}))

    found = digest_of(
        reader, [Plan(about, members, [hers, his, old, ancient])], [], on=TUESDAY, weekly=False
    )

    assert [line.task.id for line in found.lines] == [his.id, old.id]


def test_digests_count_in_all_six_forms_of_arabic():
    for name in ("reminders.digest", "reminders.week"):
        text = BUILT_IN[name].texts["ar"]
        for form in ("zero{", "one{", "two{", "few{", "many{", "other{"):
            assert form in text.title
            assert form in text.body
