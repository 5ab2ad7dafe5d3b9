"""Guests: invited, asked twice at most, left alone when they want it."""

from contextlib import nullcontext
from datetime import date, datetime, time, timedelta

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from kernel.notices import RECALL, recall_of
from reminders.days import MAIN
from reminders.errors import (
    AnchorNotFound,
    EventCancelled,
    EventNotFound,
    NotInvited,
    OptOutInvalid,
    RoleTooLow,
)
from reminders.firing import FiringClass
from reminders.guest import EVERYWHERE, Answer
from reminders.guests.guests import FARTHEST
from reminders.opting import OptOutSigner
from reminders.placing import SPREAD, jitter_of
from reminders.times import resolve, wall_of
from reminders.types import Role
from tests.support.factories_reminders import AMINA, BILAL, CELIA, OPTING, server, user

ALGIERS = "Africa/Algiers"
DAY, DEADLINE = date(2026, 7, 10), date(2026, 4, 16)
DJAMEL, ELYES, FATIMA, HANIA = "djamel", "elyes", "fatima", "hania"


async def prepared(room):
    """Amina's, whom Hania helps; answers are due by the middle of April, and it is the third."""
    room.clock.move(days=33)
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone=ALGIERS, day=DAY, at=time(19)
    )
    here = sheet.event.id
    await room.events.put_member(user(AMINA), here, user_id=HANIA, role=Role.COLLABORATOR)
    await room.guests.put_deadline(user(AMINA), here, part=MAIN, day=DEADLINE, days=None)
    for guest in (DJAMEL, ELYES):
        await room.guests.invite(user(AMINA), here, user_id=guest, part=MAIN)
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


async def test_guests_without_an_answer_are_asked_twice_and_owners_told_how_it_stands(anywhere):
    room, wedding = anywhere, await prepared(anywhere)
    await room.guests.answer(user(ELYES), wedding, part=MAIN, answer=Answer.YES)

    first = await heard(room, date(2026, 4, 9), time(12))
    then = await heard(room, date(2026, 4, 20), time(12))

    assert who(first) == [("event.answers", AMINA), ("guest.answer", DJAMEL)]
    owners = next(each for each in first if each.template == "event.answers")
    assert (owners.variables["waiting"], owners.variables["coming"]) == (1, 1)
    asked = next(each for each in first if each.template == "guest.answer")
    assert asked.category == "invitations"
    assert asked.variables["when"] == "Thursday 16 April"
    assert asked.variables["day"] == "Friday 10 July at 19:00"
    assert who(then) == [("guest.answer", DJAMEL)]


async def test_who_answers_between_is_not_asked_again(room, wedding):
    await room.guests.invite(user(AMINA), wedding, user_id=FATIMA, part=MAIN)
    await heard(room, date(2026, 4, 9), time(12))
    await room.guests.answer(user(DJAMEL), wedding, part=MAIN, answer=Answer.NO)
    await room.guests.answer(user(FATIMA), wedding, part=MAIN, answer=Answer.MAYBE)

    assert who(await heard(room, date(2026, 4, 20), time(12))) == [("guest.answer", ELYES)]


@pytest.mark.parametrize("ends", ["answered", "uninvited"])
async def test_what_guests_were_asked_is_taken_back_when_it_is_no_question_any_more(anywhere, ends):
    room, wedding = anywhere, await prepared(anywhere)
    first = await heard(room, date(2026, 4, 9), time(12))
    asked = {each.user_ids[0]: each.collapse_key for each in first}

    if ends == "answered":
        await room.guests.answer(user(DJAMEL), wedding, part=MAIN, answer=Answer.YES)
    else:
        await room.guests.remove(user(AMINA), wedding, user_id=DJAMEL, part=MAIN)

    recalls = [recall_of(each.payload) for each in await room.taken(RECALL)]
    assert [(each.user_id, each.collapse_key) for each in recalls] == [(DJAMEL, asked[DJAMEL])]


async def test_a_guest_who_says_where_they_are_is_asked_on_the_clocks_there(anywhere):
    room, wedding = anywhere, await prepared(anywhere)
    await room.guests.answer(user(ELYES), wedding, part=MAIN, answer=Answer.YES)
    await room.planner.step()

    await room.people.put(user(DJAMEL), zone="America/Vancouver", locale="fr-CA")
    await room.planner.step()

    coming = (await room.firings.upcoming(DJAMEL, cursor=None, limit=9)).items
    assert {wall_of(each.due_at, "America/Vancouver").hour for each in coming} == {9}


async def test_who_is_invited_late_is_asked_at_the_next_time_there_is(room, wedding):
    await heard(room, date(2026, 4, 9), time(12))
    await room.guests.invite(user(AMINA), wedding, user_id=FATIMA, part=MAIN)

    assert await heard(room, date(2026, 4, 13), time(12)) == []
    assert ("guest.answer", FATIMA) in who(await heard(room, date(2026, 4, 14), time(12)))


async def test_nobody_is_asked_three_times_however_often_the_day_is_changed(room, wedding):
    told = await heard(room, date(2026, 4, 15), time(12))
    for later in (25, 30):
        await room.guests.put_deadline(
            user(AMINA), wedding, part=MAIN, day=date(2026, 4, later), days=None
        )
        told += await heard(room, date(2026, 4, later - 1), time(12))

    assert who(told).count(("guest.answer", DJAMEL)) == 2
    assert who(told).count(("event.answers", AMINA)) == 2


async def test_one_tap_on_the_link_and_nobody_asks_again(anywhere):
    room, wedding = anywhere, await prepared(anywhere)
    (asked,) = [
        each for each in await heard(room, date(2026, 4, 9), time(12)) if each.user_ids == (DJAMEL,)
    ]
    token = asked.data["opt_out"].removeprefix("https://push.example.dz/v1/opt-outs/")

    await room.guests.opt_out(token, everywhere=False)
    await room.guests.opt_out(token, everywhere=False)
    await room.guests.remove(user(AMINA), wedding, user_id=DJAMEL, part=MAIN)
    await room.guests.invite(user(AMINA), wedding, user_id=DJAMEL, part=MAIN)

    assert who(await heard(room, date(2026, 4, 20), time(12))) == [("guest.answer", ELYES)]


async def test_opting_out_is_seen_even_before_the_plan_is_made_again(room, wedding):
    await room.planner.step()
    await room.guests.opt_out(OPTING.token(DJAMEL, wedding), everywhere=False)
    room.clock.move(days=6, hours=2)

    await room.scheduler.step()

    assert ("guest.answer", DJAMEL) not in who(await room.notices())


async def test_opting_out_everywhere_holds_for_events_to_come(room, wedding):
    await room.guests.opt_out(OPTING.token(DJAMEL, wedding), everywhere=True)
    other = await room.events.create(
        user(CELIA), title="Fiançailles", zone=ALGIERS, day=DAY, at=None
    )
    here = other.event.id
    await room.guests.put_deadline(user(CELIA), here, part=MAIN, day=DEADLINE, days=None)
    await room.guests.invite(user(CELIA), here, user_id=DJAMEL, part=MAIN)

    told = who(await heard(room, date(2026, 4, 20), time(12)))

    assert ("guest.answer", DJAMEL) not in told
    assert ("guest.answer", ELYES) in told


@pytest.mark.parametrize("token", ["", "x", "ümläut", "A" * 80, "A" * 400])
async def test_a_link_that_is_not_ours_does_nothing(room, token):
    with pytest.raises(OptOutInvalid):
        await room.guests.opt_out(token, everywhere=False)


def test_a_link_names_whom_and_which_event_and_other_keys_do_not_count():
    token = OPTING.token(DJAMEL, EVERYWHERE)

    assert OPTING.named(token) == (DJAMEL, EVERYWHERE)
    assert OptOutSigner(["new", "a secret of a test"]).named(token) == (DJAMEL, EVERYWHERE)
    assert OptOutSigner(["another"]).named(token) is None
    assert OptOutSigner().token(DJAMEL, EVERYWHERE) == ""


@pytest.mark.parametrize(
    ("base", "trusted"),
    [
        ("https://push.example.dz", True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://push.example.dz", False),
        ("http://localhost.example.dz", False),
        ("", False),
    ],
)
def test_a_guest_gets_a_whole_address_or_none(base, trusted):
    link = OptOutSigner(["a key"], base=base).link(DJAMEL, EVERYWHERE)

    assert link.startswith(f"{base}/v1/opt-outs/") if trusted else link == ""


async def test_guests_are_asked_in_the_morning_and_late_ones_on_the_next(room, wedding):
    await room.planner.step()
    end = resolve(datetime(2026, 4, 9, 20), ALGIERS)  # noqa: DTZ001
    room.clock.move(seconds=(end - room.clock.now()).total_seconds())

    await room.scheduler.step()

    waiting = (await room.firings.upcoming(DJAMEL, cursor=None, limit=9)).items
    assert [each.firing_class for each in waiting] == [FiringClass.GUEST] * 2
    later = jitter_of(DJAMEL, SPREAD[FiringClass.GUEST])
    assert wall_of(waiting[0].due_at - later, ALGIERS).isoformat() == "2026-04-10T09:00:00"
    assert ("guest.answer", DJAMEL) not in who(await room.notices())


async def test_a_parts_deadline_moves_with_it(room, wedding):
    await room.parts.put(user(AMINA), wedding, code="henna", days=-2)
    await room.guests.put_deadline(user(AMINA), wedding, part="henna", day=None, days=-80)
    await room.guests.invite(user(AMINA), wedding, user_id=FATIMA, part="henna")
    await room.planner.step()

    waiting = (await room.firings.upcoming(FATIMA, cursor=None, limit=9)).items

    assert {each.nominal_day for each in waiting} == {DAY - timedelta(days=82)}
    with pytest.raises(AnchorNotFound):
        await room.guests.invite(user(AMINA), wedding, user_id=FATIMA, part="fatiha")


async def test_who_is_asked_may_answer_and_say_otherwise_later(room, wedding):
    await room.guests.answer(user(DJAMEL), wedding, part=MAIN, answer=Answer.YES)
    await room.guests.answer(server(), wedding, part=MAIN, answer=Answer.NO, user_id=DJAMEL)

    page, counts = await room.guests.of(user(AMINA), wedding, part=MAIN, cursor=None, limit=1)

    assert counts == {Answer.NO: 1, Answer.INVITED: 1}
    rest, _ = await room.guests.of(user(AMINA), wedding, part=MAIN, cursor=page.cursor, limit=1)
    assert {each.user_id for each in (*page.items, *rest.items)} == {DJAMEL, ELYES}
    assert rest.cursor is None


@pytest.mark.parametrize(
    ("asks", "host", "see", "decide"),
    [
        (user(AMINA), None, None, None),
        (user(CELIA), None, None, RoleTooLow),
        (user(BILAL), RoleTooLow, RoleTooLow, RoleTooLow),
        (user("gina"), RoleTooLow, RoleTooLow, RoleTooLow),
        (user(DJAMEL), EventNotFound, EventNotFound, EventNotFound),
        (server(), None, None, None),
        (server(Scope.DEVICES), Denied, Denied, Denied),
    ],
    ids=["owner", "collaborator", "vendor", "guest", "invited", "server", "other server"],
)
async def test_hosts_invite_and_see_owners_set_the_day(room, asks, host, see, decide):
    sheet = await room.events.create(user(AMINA), title="Mariage", zone=ALGIERS, day=DAY, at=None)
    here = sheet.event.id
    for who_else, role in ((CELIA, "collaborator"), (BILAL, "vendor"), ("gina", "guest")):
        await room.events.put_member(user(AMINA), here, user_id=who_else, role=Role(role))
    await room.guests.invite(user(AMINA), here, user_id=DJAMEL, part=MAIN)

    def may(refusal):
        return pytest.raises(refusal) if refusal else nullcontext()

    with may(host):
        await room.guests.invite(asks, here, user_id=ELYES, part=MAIN)
    with may(host):
        await room.guests.remove(asks, here, user_id=DJAMEL, part=MAIN)
    with may(see):
        await room.guests.of(asks, here, part=MAIN, cursor=None, limit=9)
    with may(decide):
        await room.guests.put_deadline(asks, here, part=MAIN, day=DEADLINE, days=None)


async def test_only_who_is_invited_answers_and_not_once_it_is_cancelled(room):
    sheet = await room.events.create(user(AMINA), title="Mariage", zone=ALGIERS, day=DAY, at=None)
    here = sheet.event.id
    await room.guests.invite(user(AMINA), here, user_id=DJAMEL, part=MAIN)

    for stranger in (user(AMINA), user("gina")):
        with pytest.raises(NotInvited):
            await room.guests.answer(stranger, here, part=MAIN, answer=Answer.YES)
    with pytest.raises(InvalidInput, match="answer"):
        await room.guests.answer(user(DJAMEL), here, part=MAIN, answer=Answer.INVITED)
    with pytest.raises(InvalidInput, match="user_id"):
        await room.guests.answer(server(), here, part=MAIN, answer=Answer.YES)
    await room.events.cancel(user(AMINA), here)
    with pytest.raises(EventCancelled):
        await room.guests.answer(user(DJAMEL), here, part=MAIN, answer=Answer.YES)


@pytest.mark.parametrize(
    "wrong",
    [{"day": DEADLINE, "days": 3}, {"day": None, "days": 366}, {"day": date.max, "days": None}],
)
async def test_deadlines_that_mean_nothing_are_refused(room, wrong):
    sheet = await room.events.create(user(AMINA), title="Mariage", zone=ALGIERS, day=DAY, at=None)

    with pytest.raises(InvalidInput):
        await room.guests.put_deadline(user(AMINA), sheet.event.id, part=MAIN, **wrong)


async def test_a_deadline_may_be_a_year_off_and_is_of_a_part_that_is_there(room, wedding):
    put = room.guests.put_deadline
    (deadline,) = await put(user(AMINA), wedding, part=MAIN, day=None, days=-FARTHEST)

    assert (deadline.part, deadline.days) == (MAIN, -FARTHEST)
    with pytest.raises(AnchorNotFound):
        await put(user(AMINA), wedding, part="henna", day=DEADLINE, days=None)


async def test_a_deadline_that_is_said_again_changes_nothing(room, wedding):
    before = (await room.events.get(user(AMINA), wedding)).event
    room.clock.move(hours=1)

    await room.guests.put_deadline(user(AMINA), wedding, part=MAIN, day=DEADLINE, days=None)

    assert (await room.events.get(user(AMINA), wedding)).event == before


async def test_an_answer_that_is_given_again_stays_as_it_was_given(room, wedding):
    first = await room.guests.answer(user(DJAMEL), wedding, part=MAIN, answer=Answer.YES)
    room.clock.move(hours=1)

    again = await room.guests.answer(user(DJAMEL), wedding, part=MAIN, answer=Answer.YES)

    assert (first.answer, again) == (Answer.YES, first)


async def test_only_a_user_is_invited_and_only_a_guest_is_taken_out(room, wedding):
    with pytest.raises(InvalidInput, match="user_id"):
        await room.guests.invite(user(AMINA), wedding, user_id="no body", part=MAIN)
    with pytest.raises(NotInvited):
        await room.guests.remove(user(AMINA), wedding, user_id=FATIMA, part=MAIN)


async def test_a_guest_of_a_part_is_asked_about_that_part(room, wedding):
    henna = "henna"
    await room.parts.put(user(AMINA), wedding, code=henna, days=-1, at=time(17))
    await room.guests.put_deadline(user(AMINA), wedding, part=henna, day=DEADLINE, days=None)
    await room.guests.invite(user(AMINA), wedding, user_id=FATIMA, part=henna)

    told = await heard(room, date(2026, 4, 9), time(12))

    hers = next(each for each in told if each.user_ids == (FATIMA,))
    assert hers.variables["event"] == "\u2068Henna\u2069 · \u2068Mariage\u2069"
    assert hers.variables["day"] == "Thursday 9 July at 17:00"
    of_owners = {each.variables["event"] for each in told if each.template == "event.answers"}
    assert of_owners == {"Mariage", hers.variables["event"]}
