"""What is told of an event itself: eve, day, a vendor's call, a move, a payment that is open."""

from datetime import date, datetime, time

import pytest

from kernel.errors import InvalidInput
from kernel.ids import UserId
from reminders.defaults import Own
from reminders.errors import AnchorNotFound, EventNotFound, NotInEvent
from reminders.firing import FiringClass
from reminders.firing_bodies import firings_answer
from reminders.person import Digests, Occasion, Ramadan, UsualLead
from reminders.times import resolve, wall_of
from reminders.tracing import State
from reminders.types import OnDay, Payment, Role, TaskDetails
from reminders.wording import amount_text
from tests.support.factories_reminders import AMINA, BILAL, CELIA, user

ALGIERS = "Africa/Algiers"
DAY = date(2026, 4, 17)
EVE = date(2026, 4, 16)
DJAMEL, FATIMA, HANIA = UserId("djamel"), UserId("fatima"), UserId("hania")


async def prepared(room):
    """Amina's, in April; Célia helps, Bilal plays the music, and Djamel comes."""
    room.clock.move(days=33)
    await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ", digest=Digests.OFF)
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone=ALGIERS, day=DAY, at=time(19), usual=True
    )
    here = sheet.event.id
    await room.events.put_member(user(AMINA), here, user_id=CELIA, role=Role.COLLABORATOR)
    await room.events.put_member(
        user(AMINA), here, user_id=BILAL, role=Role.VENDOR, call_at=time(16)
    )
    await room.events.put_member(user(AMINA), here, user_id=DJAMEL, role=Role.GUEST)
    return here


@pytest.fixture
async def wedding(room):
    return await prepared(room)


async def heard(room, day, clock):
    """What is told until a time in Algiers."""
    told = await room.told_until(resolve(datetime.combine(day, clock), ALGIERS))
    return [each for each in told if each.category != "digests"]


def who(told):
    return sorted((each.template, *each.user_ids) for each in told)


async def test_on_the_eve_everybody_who_works_on_it_is_told_what_is_left(room, wedding):
    await room.tasks.create(user(AMINA), wedding, title="Fleurs", due=OnDay(DAY))
    room.clock.move(days=12)

    told = await heard(room, date(2026, 4, 16), time(19))

    eves = [each for each in told if each.template == "event.eve"]
    assert who(eves) == [("event.eve", each) for each in sorted([AMINA, BILAL, CELIA])]
    hers = next(each for each in eves if each.user_ids == (AMINA,))
    assert hers.variables == {
        "event": "Mariage",
        "open": 1,
        "lines": "\u2068Fleurs\u2069 · vendredi 17 avril",
    }


async def test_on_the_eve_what_is_due_first_is_named_first(room, wedding):
    for title, due in (("Merci", None), ("Bagages", OnDay(DAY)), ("Fleurs", OnDay(EVE))):
        await room.tasks.create(user(AMINA), wedding, title=title, due=due)
    room.clock.move(days=12)

    told = await heard(room, EVE, time(19))

    hers = next(each for each in told if each.user_ids == (CELIA,))
    assert [line.split(" ")[0] for line in str(hers.variables["lines"]).splitlines()] == [
        "\u2068Fleurs\u2069",
        "\u2068Bagages\u2069",
        "\u2068Merci\u2069",
    ]


async def test_on_the_eve_a_vendor_hears_of_their_own_tasks_alone(room, wedding):
    await room.events.put_member(user(AMINA), wedding, user_id=DJAMEL, role=Role.VENDOR)
    paid = TaskDetails(payment=Payment(5_000_000, "DZD", vendor_id=DJAMEL))
    for title, details in (("Acompte", paid), ("Surprise", TaskDetails())):
        await room.tasks.create(user(AMINA), wedding, title=title, due=None, details=details)
    room.clock.move(days=12)

    told = await heard(room, EVE, time(19))

    eves = {each.user_ids[0]: each for each in told if each.template == "event.eve"}
    assert eves[DJAMEL].variables["lines"] == "\u2068Acompte\u2069"
    assert eves[BILAL].variables == {
        "event": "Mariage",
        "open": 0,
        "lines": "",
        "when": "Friday 17 April at 19:00",
    }
    assert eves[AMINA].variables["open"] == 2


async def test_what_comes_of_the_event_itself_is_listed_with_its_title_and_no_task(room, wedding):
    room.clock.move(days=11)
    await room.planner.step()

    listed = firings_answer(await room.explain.upcoming(user(AMINA), cursor=None, limit=9))

    assert {(each.event_title, each.task_id, each.task_title) for each in listed.firings} == {
        ("Mariage", None, None)
    }


async def test_on_the_day_at_eight_and_before_a_vendors_call(anywhere):
    room = anywhere
    await prepared(room)
    room.clock.move(days=13)
    await heard(room, date(2026, 4, 16), time(20))

    told = await heard(room, DAY, time(18))

    assert who(told) == sorted(
        [("event.today", each) for each in (AMINA, BILAL, CELIA)] + [("event.call", BILAL)]
    )
    call = next(each for each in told if each.template == "event.call")
    assert call.variables["when"] == "Friday 17 April at 16:00"
    assert call.exact


async def test_parts_on_other_days_have_their_own_eve_and_day(room, wedding):
    henna = date(2026, 4, 15)
    await room.parts.put(user(AMINA), wedding, code="henna", days=-2, at=time(16))
    await room.parts.put(user(AMINA), wedding, code="hammam", day=henna)
    await room.parts.put(user(AMINA), wedding, code="dinner", days=0, at=time(21))
    for title, due in (("Plateaux", henna), ("Fleurs", DAY)):
        await room.tasks.create(user(AMINA), wedding, title=title, due=OnDay(due))
    room.clock.move(days=11)

    eves = await heard(room, date(2026, 4, 14), time(19))
    room.clock.move(hours=12)
    days = await heard(room, henna, time(9))

    # The music is for the evening itself.
    assert who(eves) == [("event.eve", AMINA), ("event.eve", CELIA)]
    hers = next(each for each in eves if each.user_ids == (AMINA,))
    called = "\u2068Henné\u2069 · \u2068Hammam\u2069 · \u2068Mariage\u2069"
    assert hers.variables == {
        "event": called,
        "open": 1,
        "lines": "\u2068Plateaux\u2069 · mercredi 15 avril",
    }
    assert who(days) == [("event.today", AMINA), ("event.today", CELIA)]
    hers = next(each for each in days if each.user_ids == (AMINA,))
    assert hers.variables == {"event": called, "when": "mercredi 15 avril à 16:00"}


async def test_a_vendor_is_told_of_the_part_they_are_called_to(room, wedding):
    await room.parts.put(user(AMINA), wedding, code="henna", days=-2)
    await room.parts.put(user(AMINA), wedding, code="civil_act", days=-5)
    await room.events.put_member(
        user(AMINA), wedding, user_id=BILAL, role=Role.VENDOR, part="henna"
    )

    traces = (await room.explain.of_event(user(BILAL), wedding)).traces

    assert {each.reason for each in traces if each.state is State.PLANNED} == {
        "on the eve",
        "on the day",
        "on the eve: henna",
        "on the day: henna",
    }


async def test_a_vendor_is_told_of_the_eve_before_work_ends(room, wedding):
    await room.planner.step()

    waiting = (await room.firings.upcoming(BILAL, cursor=None, limit=9)).items

    (eve,) = (each for each in waiting if each.firing_class is FiringClass.EVENT)
    wall = wall_of(eve.due_at, ALGIERS)
    assert (wall.date(), wall.hour) == (date(2026, 4, 16), 17)


async def test_a_vendor_is_called_a_day_and_three_hours_before_whatever_the_hour(room, wedding):
    await room.events.put_member(
        user(AMINA), wedding, user_id=BILAL, role=Role.VENDOR, call_at=time(6)
    )
    await room.planner.step()

    waiting = (await room.firings.upcoming(BILAL, cursor=None, limit=9)).items
    calls = [each for each in waiting if each.firing_class is FiringClass.EVENT_DAY]
    walls = [wall_of(each.due_at, ALGIERS) for each in calls]

    assert datetime(2026, 4, 16, 6) in walls  # noqa: DTZ001
    assert datetime(2026, 4, 17, 3) in walls  # noqa: DTZ001


async def test_an_eve_of_which_nobody_was_told_is_not_told_of_on_the_day(room, wedding):
    room.clock.move(days=12)
    await heard(room, EVE, time(12))
    room.clock.move(hours=20, minutes=30)

    told = await heard(room, DAY, time(9))

    assert {each.template for each in told} == {"event.today", "event.call"}


async def test_who_joins_late_is_told_what_is_to_come_and_nothing_that_was_before(room, wedding):
    room.clock.move(days=12)
    await heard(room, EVE, time(18, 6))
    await room.events.put_member(
        user(AMINA), wedding, user_id=FATIMA, role=Role.VENDOR, call_at=time(18)
    )
    await room.events.put_member(user(AMINA), wedding, user_id=HANIA, role=Role.COLLABORATOR)

    assert await heard(room, EVE, time(23)) == []
    told = await heard(room, DAY, time(17))

    assert {each.template for each in told if each.user_ids == (FATIMA,)} == {
        "event.today",
        "event.call",
    }


async def test_each_occasion_can_be_off_or_at_another_time(room, wedding):
    await room.defaults.put(
        user(AMINA),
        clock=None,
        occasions={
            Occasion.EVENT_EVE: Own(on=False),
            Occasion.EVENT_DAY: Own(leads=(UsualLead(0, time(7, 15)),)),
        },
    )
    await room.planner.step()

    (day,) = (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items

    assert wall_of(day.due_at, ALGIERS) == datetime.combine(DAY, time(7, 15))


async def test_an_event_that_is_not_told_of_as_usual_is_silent(room, wedding):
    await room.events.rename(user(AMINA), wedding, title="Noces", usual=False)
    await room.planner.step()

    assert (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items == []


async def test_a_part_that_is_not_there_calls_nobody(room, wedding):
    with pytest.raises(AnchorNotFound):
        await room.events.put_member(
            user(AMINA), wedding, user_id=BILAL, role=Role.VENDOR, part="henna"
        )


async def test_everybody_but_who_moved_it_is_told_once_of_a_move_when_it_stands(anywhere):
    room, wedding = anywhere, await prepared(anywhere)
    today = date(2026, 4, 3)
    await room.moving.move(user(AMINA), wedding, day=date(2026, 4, 24), at=time(19))
    room.clock.move(minutes=4)
    await room.moving.move(user(AMINA), wedding, day=date(2026, 5, 1), at=time(19))
    assert await heard(room, today, time(9, 13)) == []

    told = await heard(room, today, time(11))

    assert who(told) == [("event.moved", BILAL), ("event.moved", CELIA)]
    assert told[0].variables["when"] == "Friday 1 May at 19:00"
    assert await heard(room, date(2026, 4, 4), time(12)) == []


async def test_a_move_that_is_undone_is_no_news(room, wedding):
    await room.moving.move(user(AMINA), wedding, day=date(2026, 4, 24), at=time(19))
    room.clock.move(minutes=5)
    await room.moving.undo(user(AMINA), wedding)

    assert await heard(room, date(2026, 4, 3), time(12)) == []


async def test_there_and_back_again_within_minutes_is_no_news(room, wedding):
    await room.moving.move(user(AMINA), wedding, day=date(2026, 4, 24), at=time(19))
    await room.moving.move(user(AMINA), wedding, day=DAY, at=time(19))

    assert await heard(room, date(2026, 4, 3), time(12)) == []


async def test_of_two_moves_undoing_the_second_leaves_the_first_to_be_told(room, wedding):
    await room.moving.move(user(AMINA), wedding, day=date(2026, 4, 24), at=time(19))
    await room.moving.move(user(AMINA), wedding, day=date(2026, 5, 1), at=time(19))
    await room.moving.undo(user(AMINA), wedding)

    told = await heard(room, date(2026, 4, 3), time(12))

    assert who(told) == [("event.moved", BILAL), ("event.moved", CELIA)]
    assert told[0].variables["when"] == "Friday 24 April at 19:00"


@pytest.fixture
async def untold(room, wedding):
    """It was moved at night: nobody else is told of that before the morning."""
    room.clock.move(hours=13)
    await room.moving.move(user(AMINA), wedding, day=date(2026, 4, 24), at=time(19))
    assert await heard(room, date(2026, 4, 3), time(22, 30)) == []
    return wedding


async def back_by_undoing(room, event_id):
    await room.moving.move(user(AMINA), event_id, day=date(2026, 5, 1), at=time(19))
    room.clock.move(minutes=5)
    await room.moving.undo(user(AMINA), event_id)


async def back_by_moving(room, event_id):
    await room.moving.move(user(AMINA), event_id, day=date(2026, 5, 1), at=time(19))
    room.clock.move(minutes=5)
    await room.moving.move(user(AMINA), event_id, day=date(2026, 4, 24), at=time(19))


async def back_by_undoing_twice(room, event_id):
    await room.moving.move(user(AMINA), event_id, day=date(2026, 5, 8), at=time(19))
    await back_by_undoing(room, event_id)
    room.clock.move(minutes=1)
    await room.moving.undo(user(AMINA), event_id)


async def elsewhere_by_parts(room, event_id):
    await room.parts.put(user(AMINA), event_id, code="henna", day=date(2026, 4, 20))


@pytest.mark.parametrize(
    "meanwhile", [back_by_undoing, back_by_moving, back_by_undoing_twice, elsewhere_by_parts]
)
async def test_a_move_that_waits_for_the_morning_is_told_whatever_is_tried_at_night(
    room, untold, meanwhile
):
    await meanwhile(room, untold)

    told = await heard(room, date(2026, 4, 4), time(12))

    assert who(told) == [("event.moved", BILAL), ("event.moved", CELIA)]
    assert told[0].variables["when"] == "Friday 24 April at 19:00"


@pytest.fixture
async def eve(room, wedding):
    """Seven in the evening before: until half past eight they are at their tables, so what was
    to be told at six waits."""
    room.almanac.known = [Ramadan(1447, date(2026, 4, 1), date(2026, 4, 30))]
    room.clock.move(days=12)
    told = await heard(room, date(2026, 4, 16), time(19))
    assert ("event.eve", AMINA) not in who(told)
    return wedding


@pytest.mark.parametrize("meanwhile", ["a part", "an answer"])
async def test_what_waits_to_be_told_waits_for_it_when_something_else_is_arranged(
    room, eve, meanwhile
):
    if meanwhile == "a part":
        await room.parts.put(user(AMINA), eve, code="henna", day=date(2026, 4, 20))
    else:
        await room.guests.put_deadline(user(AMINA), eve, part="main", day=None, days=0)

    told = await heard(room, date(2026, 4, 16), time(21))

    assert who(told) == [("event.eve", AMINA), ("event.eve", CELIA)]


async def test_an_eve_that_was_told_is_not_told_again_when_another_part_leaves_its_day(
    room, wedding
):
    for code, at in (("fatiha", time(10)), ("henna", time(15))):
        await room.parts.put(user(AMINA), wedding, code=code, day=date(2026, 4, 20), at=at)
    room.clock.move(days=16)
    told = await heard(room, date(2026, 4, 19), time(19))
    assert ("event.eve", AMINA) in who(told)

    await room.parts.put(user(AMINA), wedding, code="fatiha", day=date(2026, 4, 25), at=time(10))

    assert await heard(room, date(2026, 4, 19), time(19, 30)) == []


async def test_a_move_that_was_told_is_not_told_again_when_another_is_undone(room, wedding):
    await room.moving.move(user(AMINA), wedding, day=date(2026, 4, 24), at=time(19))
    assert len(await heard(room, date(2026, 4, 3), time(12))) == 2
    await back_by_undoing(room, wedding)
    await back_by_moving(room, wedding)

    assert await heard(room, date(2026, 4, 4), time(12)) == []


async def test_an_event_that_lost_its_day_is_told_of_too(room, wedding):
    await room.moving.move(user(AMINA), wedding, day=None, at=None)

    told = await heard(room, date(2026, 4, 3), time(12))

    assert who(told) == [("event.undated", BILAL), ("event.undated", CELIA)]


async def test_a_payment_is_told_its_payer_a_day_and_three_after_and_its_vendor_once(room, wedding):
    payment = Payment(5_000_000, "DZD", vendor_id=BILAL)
    await room.tasks.create(
        user(AMINA),
        wedding,
        title="Acompte",
        due=OnDay(date(2026, 4, 6)),
        details=TaskDetails(usual=True, payment=payment),
    )
    await room.planner.step()
    room.clock.move(days=3, hours=11)
    await heard(room, date(2026, 4, 6), time(20))
    room.clock.move(hours=12)
    told = await heard(room, date(2026, 4, 7), time(12))
    room.clock.move(hours=44)

    told += await heard(room, date(2026, 4, 9), time(12))

    assert who(told) == [
        ("payment.unpaid", BILAL),
        ("task.reminder", AMINA),
        ("task.reminder", AMINA),
    ]
    vendors = next(each for each in told if each.template == "payment.unpaid")
    payers = next(each for each in told if each.template == "task.reminder")
    assert payers.variables["when"] == "\u206850\u202f000\u00a0DA\u2069 · \u2068lundi 6 avril\u2069"
    assert vendors.variables["when"] == "Monday 6 April"
    assert vendors.variables["amount"] == "50,000\u00a0DZD"


async def test_a_payment_that_nobody_could_be_told_of_in_time_is_in_the_digest(room, wedding):
    await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ")
    asked = await room.tasks.create(
        user(AMINA),
        wedding,
        title="Acompte",
        due=OnDay(date(2026, 4, 6)),
        details=TaskDetails(usual=True, nag=False, payment=Payment(1, "DZD")),
    )
    await room.planner.step()
    room.clock.move(days=8)

    await room.scheduler.step()
    await room.notices()

    settled = (await room.explain.of(user(AMINA), wedding, asked.id)).settled
    assert {each.outcome for each in settled} == {"folded"}


async def test_a_vendor_who_is_owed_must_be_in_the_event(room, wedding):
    payment = Payment(1, "DZD", vendor_id="nobody")

    with pytest.raises(NotInEvent):
        await room.tasks.create(
            user(AMINA),
            wedding,
            title="Acompte",
            due=OnDay(DAY),
            details=TaskDetails(payment=payment),
        )


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("fr-DZ", "1\u202f250\u202f000,05\u00a0DA"),
        ("ar-DZ", "1\u202f250\u202f000,05\u00a0دج"),
        ("en", "1,250,000.05\u00a0DZD"),
    ],
)
def test_sums_are_written_as_people_write_them(locale, text):
    assert amount_text(Payment(125_000_005, "DZD"), locale) == text


def test_currencies_have_as_many_digits_as_they_have():
    assert amount_text(Payment(1_500_250, "TND"), "fr-TN") == "1\u202f500,250\u00a0TND"
    assert amount_text(Payment(1_500, "JPY"), "en") == "1,500\u00a0JPY"
    assert amount_text(Payment(50_000, "XOF"), "fr-SN") == "50\u202f000\u00a0XOF"


def test_a_round_sum_is_written_without_cents():
    assert amount_text(Payment(5_000_000, "DZD"), "fr-DZ") == "50\u202f000\u00a0DA"


async def test_only_occasions_of_a_day_have_times_of_their_own(room, wedding):
    with pytest.raises(InvalidInput, match="event_eve"):
        await room.defaults.put(
            user(AMINA), clock=None, occasions={Occasion.EVENT_EVE: Own(leads=(UsualLead(3),))}
        )


async def test_it_is_explained_why_an_event_is_told_of_or_is_not(room, wedding):
    before = (await room.explain.of_event(user(AMINA), wedding)).traces
    await room.events.rename(user(AMINA), wedding, title="Mariage", usual=False)

    after = (await room.explain.of_event(user(AMINA), wedding)).traces

    assert [(each.state, each.reason) for each in before] == [
        (State.PLANNED, "on the eve"),
        (State.PLANNED, "on the day"),
    ]
    assert {(each.state, each.reason) for each in after} == {
        (State.OFF, "the event is not told of as usual")
    }
    with pytest.raises(EventNotFound):
        await room.explain.of_event(user(UserId("gina")), wedding)
