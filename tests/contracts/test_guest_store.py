"""What every store of guests promises, over each database."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from reminders.adapters.mapping import LOG, MARKS
from reminders.adapters.plan_inputs import inputs_of
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_guests import SqlGuestStore
from reminders.days import MAIN, Deadline
from reminders.errors import NotInvited
from reminders.firing import Outcome
from reminders.guest import EVERYWHERE, Answer, Guest, RemoveGuest, guest_id
from tests.support.clock import START
from tests.support.factories_firings import firing, record
from tests.support.factories_reminders import AMINA, BILAL, CELIA, event, member


@pytest.fixture
def store(database):
    return SqlGuestStore(database)


@pytest.fixture
async def wedding(database):
    """With three guests, of whom Célia comes."""
    calendar = SqlCalendarStore(database)
    wedding = replace(event(), deadlines=(Deadline(MAIN, days=-7),))
    await calendar.create(wedding, member(wedding))
    invited = [guest(wedding, each) for each in (AMINA, BILAL, CELIA)]
    comes = replace(invited[2], answer=Answer.YES, answered_at=START)
    await calendar.change(wedding.id, lambda _: [*invited, comes], now=START)
    return wedding


def guest(of, user_id, part=MAIN):
    return Guest(guest_id(of.id, user_id, part), of.id, user_id, part, START)


async def told(database, of):
    """Whom a plan would ask, and how often it believes that they were."""
    async with database.reading() as connection:
        (inputs,) = await inputs_of(connection, [of], {of.id: {}})
        return {each.user_id: each.told for each in inputs.guests}


async def asked(database, of):
    """Whom a plan would ask."""
    return set(await told(database, of))


async def test_an_invitation_is_kept_and_its_answer_takes_its_place(store, wedding, database):
    calendar = SqlCalendarStore(database)
    before = await store.guest(guest_id(wedding.id, BILAL, MAIN))
    answered = replace(before, answer=Answer.MAYBE, answered_at=START + timedelta(days=1))

    await calendar.change(wedding.id, lambda _: [answered], now=START)

    assert await store.guest(before.id) == answered
    assert await store.guest(uuid4()) is None


async def test_an_invitation_made_again_leaves_the_answer_alone(store, wedding, database):
    await SqlCalendarStore(database).change(
        wedding.id, lambda _: [guest(wedding, CELIA)], now=START
    )

    assert (await store.guest(guest_id(wedding.id, CELIA, MAIN))).answer is Answer.YES


async def test_an_answer_brings_back_no_invitation_that_was_taken_back(store, wedding, database):
    calendar = SqlCalendarStore(database)
    own = guest(wedding, BILAL)
    answered = replace(own, answer=Answer.YES, answered_at=START)
    await calendar.change(wedding.id, lambda _: [RemoveGuest(own.id)], now=START)

    with pytest.raises(NotInvited):
        await calendar.change(wedding.id, lambda _: [answered], now=START)

    assert await store.guest(own.id) is None


async def test_answers_are_counted_by_part(store, wedding, database):
    other = guest(wedding, BILAL, "henna")
    await SqlCalendarStore(database).change(wedding.id, lambda _: [other], now=START)

    assert await store.answers(wedding.id) == {
        MAIN: {Answer.INVITED: 2, Answer.YES: 1},
        "henna": {Answer.INVITED: 1},
    }
    assert await store.answers(uuid4()) == {}


async def test_a_question_counts_that_was_asked_and_none_of_which_something_else_became(
    store, wedding, database
):
    here, now = guest_id(wedding.id, BILAL, MAIN), START + timedelta(days=1)
    ends = [(Outcome.FIRED, here), *((each, here) for each in Outcome)]
    ends.append((Outcome.FIRED, guest_id(wedding.id, AMINA, MAIN)))
    async with database.transaction() as connection:
        rows = [
            record(firing(wedding, about, uuid4(), BILAL, now), outcome) for outcome, about in ends
        ]
        await connection.execute(LOG.insert(), rows)

    assert (await store.invitation(here)).guest.told == 2
    assert (await told(database, wedding))[BILAL] == 2


async def test_guests_are_listed_in_pages(store, wedding):
    first = await store.guests_of(wedding.id, MAIN, cursor=None, limit=2)
    rest = await store.guests_of(wedding.id, MAIN, cursor=first.cursor, limit=2)

    assert (len(first.items), len(rest.items), rest.cursor) == (2, 1, None)
    assert {each.user_id for each in (*first.items, *rest.items)} == {AMINA, BILAL, CELIA}


@pytest.mark.parametrize("everywhere", [False, True])
async def test_who_opted_out_is_in_no_plan_even_when_invited_again(
    store, wedding, database, everywhere
):
    calendar = SqlCalendarStore(database)
    assert await asked(database, wedding) == {AMINA, BILAL}

    place = EVERYWHERE if everywhere else wedding.id
    await store.opt_out(BILAL, place, now=START)
    await store.opt_out(BILAL, place, now=START)
    own = guest(wedding, BILAL)
    await calendar.change(wedding.id, lambda _: [RemoveGuest(own.id)], now=START)
    await calendar.change(wedding.id, lambda _: [own], now=START)

    assert await asked(database, wedding) == {AMINA}


async def test_opting_out_marks_the_plans_it_changes_and_no_others(store, wedding, database):
    other = event()
    await SqlCalendarStore(database).create(other, None)
    async with database.transaction() as connection:
        await connection.execute(MARKS.delete())

    await store.opt_out(BILAL, EVERYWHERE, now=START)

    async with database.reading() as connection:
        marked = (await connection.execute(sa.select(MARKS.c.event_id))).scalars().all()
    assert marked == [wedding.id]
