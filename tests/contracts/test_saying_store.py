"""What every store of firings that went off promises, over each database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.sql_saying import SqlSayingStore
from reminders.firing import Judgement, Look, Outcome
from reminders.handed import handed_of, handed_payload
from reminders.ports import RemoveMember
from reminders.rules import plan
from tests.support.clock import START
from tests.support.factories_reminders import AMINA, TODAY, event, member, person, rule, task
from tests.support.weddings import put_person


@pytest.fixture
def store(database):
    return SqlSayingStore(database)


@pytest.fixture
async def wedding(database):
    """Today; Amina was to be reminded of one task yesterday."""
    calendar, wedding = SqlCalendarStore(database), event(day=TODAY)
    await calendar.create(wedding, member(wedding))
    await put_person(calendar, person(AMINA))
    await calendar.change(wedding.id, lambda _: [task(wedding), rule(wedding)], now=START)
    return wedding


@pytest.fixture
async def fired(database, wedding):
    """The firing about it, which went off."""
    firings = SqlFiringStore(database)
    await reconcile(firings, wedding)
    (firing,) = (await firings.upcoming(AMINA, cursor=None, limit=9)).items
    for shard in await firings.due_shards(Look(START)):
        await firings.fire_due(shard, None, lambda *_: True, look=Look(START), now=START, limit=9)
    return firing


async def reconcile(firings, wedding):
    until = START + timedelta(days=30)
    return await firings.reconcile(
        [wedding.id],
        lambda inputs: plan(inputs, until=until),
        since=START - timedelta(days=9),
        until=until,
        now=START,
    )


def handed(firing):
    (found,) = handed_of(handed_payload(firing))
    return found


async def test_what_was_handed_over_is_the_firing_with_what_is_true_now(
    store, database, wedding, fired
):
    changed = replace(wedding, title="changed")
    await SqlCalendarStore(database).change(wedding.id, lambda _: [changed], now=START)

    ((due, recorded),) = await store.handed([handed(fired)])

    assert recorded is Outcome.FIRED
    assert due.firing == fired
    assert (due.event, due.person, due.standing) == (changed, person(AMINA), True)
    assert due.task.id == fired.task_id


async def test_who_left_the_event_is_not_there_for_being_in_another(
    store, database, wedding, fired
):
    calendar, other = SqlCalendarStore(database), event()
    await calendar.create(other, member(other))
    await calendar.change(wedding.id, lambda _: [RemoveMember(AMINA)], now=START)

    ((due, _),) = await store.handed([handed(fired)])

    assert not due.standing


async def test_what_else_became_of_it_is_recorded(store, database, fired):
    ((due, _),) = await store.handed([handed(fired)])

    await store.amend([(due, Judgement(Outcome.DEAD, "no words"))], now=START)

    (settled,) = await SqlFiringStore(database).settled(fired.task_id, AMINA)
    assert (settled.outcome, settled.reason) == (Outcome.DEAD, "no words")
    assert [recorded for _, recorded in await store.handed([handed(fired)])] == [Outcome.DEAD]


@pytest.mark.parametrize("outcome", [Outcome.STALE, Outcome.DEFERRED])
async def test_what_is_given_back_may_go_off_again(store, database, wedding, fired, outcome):
    ((due, _),) = await store.handed([handed(fired)])

    for _ in range(2):
        await store.amend([(due, Judgement(outcome))], now=START)

    assert await store.handed([handed(fired)]) == []
    firings = SqlFiringStore(database)
    assert wedding.id in await firings.to_plan(top_up_before=START, limit=9, without=())
    assert (await reconcile(firings, wedding)).added == 1


async def test_what_is_left_to_the_digest_is_not_said_when_a_relay_begins_again(store, fired):
    """It died before it had settled: what is told with others now may be others."""
    ((due, _),) = await store.handed([handed(fired)])
    later = Judgement(Outcome.FOLDED, "told in the next digest", for_digest=True)

    await store.amend([(due, later)], now=START)

    assert await store.handed([handed(fired)]) == []
