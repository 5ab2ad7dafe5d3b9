"""What every store of digests promises, over each database."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.database import table_of
from kernel.adapters.tables import OutboxRow
from kernel.outbox import Entry
from reminders.adapters.digest_tables import BudgetRow
from reminders.adapters.mapping import TASKS
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_digests import ITEMS, SqlDigestStore
from reminders.digests.agenda import Turned, digest_today
from reminders.digests.turns import Turn
from reminders.types import Role
from tests.support.clock import START
from tests.support.factories_reminders import (
    AMINA,
    BILAL,
    CELIA,
    TODAY,
    event,
    member,
    person,
    task,
)
from tests.support.weddings import put_person

OUTBOX, BUDGETS = table_of(OutboxRow), table_of(BudgetRow)
TOMORROW = Turn(START + timedelta(days=1), TODAY + timedelta(days=1))


@pytest.fixture
def store(database):
    return SqlDigestStore(database)


@pytest.fixture
async def wedding(database):
    """Amina's with one task, on which Bilal only looks."""
    calendar = SqlCalendarStore(database)
    wedding = event()
    await calendar.create(wedding, member(wedding))
    changes = [member(wedding, BILAL, Role.GUEST), task(wedding, title="Fleurs")]
    await calendar.change(wedding.id, lambda _: changes, now=START)
    await put_person(calendar, person(AMINA))
    return wedding


def told(agenda):
    key = agenda.reader.user_id
    entry = Entry("notice", b"{}", dedupe_key=f"notice:digest:{key}")
    return Turned("told", TOMORROW, TODAY, entry, tells=agenda.folded)


async def take(store, turned=told, now=START):
    return await store.take_turns(turned, ramadans=(), now=now, limit=10)


async def fold(database, of):
    async with database.transaction() as connection:
        await connection.execute(
            ITEMS.insert().values(
                dedupe_key=b"k" * 16,
                user_id=AMINA,
                event_id=of.id,
                task_id=of.id,
                nominal_day=TODAY,
                folded_at=START,
            )
        )


async def test_who_enters_an_event_has_a_turn_that_is_to_be_found_out(store, wedding):
    seen = []

    def look(agenda):
        seen.append(agenda)
        return Turned("planned", TOMORROW, None)

    assert await take(store, look) == ["planned", "planned"]
    assert await take(store, look) == []

    hers, his = sorted(seen, key=lambda each: each.reader.user_id)
    assert (hers.turn, hers.reader.person, hers.reader.roles) == (
        None,
        person(AMINA),
        {Role.OWNER},
    )
    assert [each.title for plan in hers.plans for each in plan.tasks] == ["Fleurs"]
    assert (len(his.plans), his.reader.roles) == (1, set())
    assert not digest_today(his, on=TODAY).lines


async def test_a_turn_that_came_is_known_and_one_that_was_looked_at_again_is_not(
    store, wedding, database
):
    await take(store)
    kept = await store.agenda(AMINA, ramadans=(), now=START)

    assert (kept.turn, kept.told_on) == (TOMORROW, TODAY)
    await put_person(SqlCalendarStore(database), person(AMINA, "Europe/Paris"))
    again = await store.agenda(AMINA, ramadans=(), now=START)
    assert (again.turn, again.told_on) == (None, TODAY)
    assert await store.agenda("nobody", ramadans=(), now=START) is None


async def test_each_turn_is_taken_once_however_many_take_them(store, wedding, database):
    taken = await asyncio.gather(*(take(store) for _ in range(4)))

    assert sum(len(each) for each in taken) == 2
    async with database.reading() as connection:
        count = sa.select(sa.func.count()).select_from(OUTBOX).where(OUTBOX.c.kind == "notice")
        assert (await connection.execute(count)).scalar_one() == 2


async def test_what_a_digest_told_is_not_told_again(store, wedding, database):
    await fold(database, wedding)
    before = await store.agenda(AMINA, ramadans=(), now=START)
    assert [each.key for each in before.folded] == [b"k" * 16]

    await take(store)

    after = await store.agenda(AMINA, ramadans=(), now=START)
    assert after.folded == []


async def test_a_failure_leaves_the_turn_to_others(store, wedding):
    def fails(_):
        raise RuntimeError("somebody pulled the plug")

    with pytest.raises(RuntimeError):
        await take(store, fails)

    assert len(await take(store)) == 2


async def test_one_user_whose_tasks_cannot_be_read_keeps_nobodys_digest_back(
    store, wedding, database
):
    theirs = event()
    await SqlCalendarStore(database).create(theirs, member(theirs, CELIA))
    unreadable = TASKS.update().values(details='{"priority": "of a later release"}')
    async with database.transaction() as connection:
        await connection.execute(unreadable)

    # Amina and Bilal are in the event that it is a task of.
    assert sorted(await take(store)) == ["failed", "failed", "told"]
    assert await take(store, now=START + timedelta(hours=1)) == []


async def test_what_was_told_long_ago_is_forgotten(store, wedding, database):
    await fold(database, wedding)
    await take(store)
    async with database.transaction() as connection:
        await connection.execute(BUDGETS.insert().values(user_id=AMINA, day=TODAY, spent=b"k" * 16))

    assert await store.forget(before=START, limit=9) == 0
    async with database.reading() as connection:
        assert len(list(await connection.execute(sa.select(ITEMS)))) == 1
    assert await store.forget(before=START + timedelta(days=2), limit=9) == 2

    async with database.reading() as connection:
        assert list(await connection.execute(sa.select(ITEMS))) == []
        assert list(await connection.execute(sa.select(BUDGETS))) == []


async def test_what_nobody_wanted_to_be_told_is_forgotten_as_well(store, wedding, database):
    """Whoever wants no digests, or has muted everything."""
    await fold(database, wedding)

    assert await store.forget(before=START, limit=9) == 0
    assert await store.forget(before=START + timedelta(days=2), limit=9) == 1

    assert (await store.agenda(AMINA, ramadans=(), now=START)).folded == []
