"""What every calendar store promises, over each database."""

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, time, timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions
from kernel.errors import InvalidInput
from reminders.action import Acted, ActionKind, ActionOutcome
from reminders.adapters.mapping import EVENTS, MARKS
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.days import MAIN
from reminders.errors import ActedAlready, EventNotFound, IdTaken
from reminders.guest import Guest, guest_id
from reminders.ports import DropRule, OtherGuests, OtherSnoozes, RemoveMember
from reminders.types import (
    AtWall,
    CalendarLead,
    ElapsedLead,
    FromEvent,
    Offset,
    OnDay,
    Role,
    Snooze,
    TaskDetails,
    ZonePolicy,
)
from tests.support.clock import START
from tests.support.factories_reminders import (
    AMINA,
    BILAL,
    CELIA,
    HOUR,
    LONG_AGO,
    event,
    member,
    person,
    rule,
    task,
)
from tests.support.weddings import put_person


@pytest.fixture
def store(database):
    return SqlCalendarStore(database)


@pytest.fixture
def marks(database):
    """The events whose plans are marked, one item a mark; looking takes them off."""

    async def taken():
        async with database.transaction() as connection:
            found = list((await connection.execute(sa.select(MARKS.c.event_id))).scalars())
            await connection.execute(MARKS.delete())
        return found

    return taken


async def put(store, of, *changes, task_id=None):
    await store.change(of.id, lambda _: changes, now=START, task_id=task_id)


async def test_an_event_is_kept_with_its_owner_and_its_plan_is_marked(store, marks):
    wedding = event(day=date(2026, 3, 20), at=time(14, 30))

    assert await store.create(wedding, member(wedding)) == wedding

    sheet = await store.sheet(wedding.id)
    assert sheet.event == wedding
    assert sheet.members == [member(wedding)]
    assert await marks() == [wedding.id]


async def test_creating_an_event_twice_gives_the_first_and_writes_nothing(store, marks):
    wedding = event()
    await store.create(wedding, member(wedding))
    await marks()

    again = replace(wedding, title="something else")
    assert await store.create(again, member(again, BILAL)) == wedding

    assert (await store.sheet(wedding.id)).members == [member(wedding)]
    assert await marks() == []


async def test_there_is_no_sheet_and_no_change_of_an_event_that_does_not_exist(store):
    with pytest.raises(EventNotFound):
        await store.sheet(uuid.uuid4())
    with pytest.raises(EventNotFound):
        await store.change(uuid.uuid4(), lambda _: [], now=START)


@pytest.mark.parametrize(
    "due",
    [
        None,
        OnDay(date(2028, 2, 29)),
        AtWall(date(2026, 3, 29), time(2, 30), "Europe/Paris"),
        FromEvent(Offset(-1, -2, 3)),
        FromEvent(Offset(days=1), time(18)),
    ],
)
async def test_every_kind_of_due_comes_back_as_it_was(store, due):
    wedding = event()
    await store.create(wedding, None)
    job = task(wedding, due, assignee_id=BILAL, done_at=START, deleted_at=START)

    await put(store, wedding, job)

    assert (await store.sheet(wedding.id, task_id=job.id)).task == job


async def test_every_kind_of_rule_comes_back_as_it_was(store):
    wedding = event()
    await store.create(wedding, None)
    job = task(wedding)
    rules = [
        rule(wedding, CalendarLead(Offset(1, 2, 3), time(9))),
        rule(wedding, ElapsedLead(timedelta(minutes=90)), about=job, user_id=AMINA, exact=False),
        rule(wedding, about=job, zone_policy=ZonePolicy.FIXED, zone="Asia/Kathmandu"),
    ]

    await put(store, wedding, job, *rules)

    found = (await store.sheet(wedding.id)).rules
    assert sorted(found, key=lambda each: each.id) == sorted(rules, key=lambda each: each.id)


async def test_a_sheet_with_a_task_shows_the_rules_that_touch_it(store):
    wedding = event()
    await store.create(wedding, None)
    one, other = task(wedding), task(wedding)
    of_all, of_one, of_other = rule(wedding), rule(wedding, about=one), rule(wedding, about=other)
    await put(store, wedding, one, other, of_all, of_one, of_other)

    sheet = await store.sheet(wedding.id, task_id=one.id)

    assert {each.id for each in sheet.rules} == {of_all.id, of_one.id}
    assert sheet.task_count == 2


async def test_deleted_tasks_do_not_count_and_are_not_listed(store):
    wedding = event()
    await store.create(wedding, None)
    kept = task(wedding)
    await put(store, wedding, kept, task(wedding, deleted_at=START))

    assert (await store.sheet(wedding.id)).task_count == 1
    assert (await store.tasks_of(wedding.id, cursor=None, limit=10)).items == [kept]


async def test_changes_replace_members_tasks_and_rules_and_end_them(store, marks):
    wedding = event()
    await store.create(wedding, member(wedding))
    job, reminder = task(wedding), rule(wedding)
    await put(store, wedding, member(wedding, BILAL, Role.COLLABORATOR), job, reminder)

    renamed = replace(wedding, title="Mariage", sched_version=2)
    promoted = member(wedding, BILAL, Role.OWNER)
    await put(store, wedding, renamed, promoted, replace(job, title="x"))
    sheet = await store.sheet(wedding.id, task_id=job.id)
    assert sheet.event == renamed
    assert sheet.member(BILAL).role is Role.OWNER
    assert sheet.task.title == "x"
    assert sheet.rules == [reminder]

    await put(store, wedding, RemoveMember(BILAL), DropRule(reminder.id))
    sheet = await store.sheet(wedding.id)
    assert [each.user_id for each in sheet.members] == [AMINA]
    assert sheet.rules == []
    assert await marks() == [wedding.id] * 4


async def test_a_decision_that_changes_nothing_marks_nothing(store, marks):
    wedding = event()
    await store.create(wedding, None)
    await marks()

    await put(store, wedding)

    assert await marks() == []


async def test_a_decision_that_refuses_undoes_everything(store, marks):
    wedding, other = event(), event()
    await store.create(wedding, None)
    await store.create(other, None)
    theirs = task(other)
    await put(store, other, theirs)
    await marks()

    with pytest.raises(IdTaken):
        await put(store, wedding, task(wedding), task(wedding, id=theirs.id))

    assert (await store.sheet(wedding.id)).task_count == 0
    assert (await store.sheet(other.id, task_id=theirs.id)).task == theirs
    assert await marks() == []


async def test_decisions_about_one_event_are_made_one_after_the_other(store):
    """A limit that is checked in a decision holds, however many are made at once."""
    wedding = event()
    await store.create(wedding, None)

    def one_more(sheet):
        return [task(wedding)] if sheet.task_count < 5 else []

    await asyncio.gather(*(store.change(wedding.id, one_more, now=START) for _ in range(12)))

    assert (await store.sheet(wedding.id)).task_count == 5


async def test_of_first_words_about_a_profile_that_come_at_once_none_is_lost(store):
    said = [{"hijri": True}, {"muted": True}, {"locale": "ar-DZ"}, {"clock": time(8)}]

    def saying(words):
        return lambda earlier: replace(earlier or person(AMINA), **words)

    await asyncio.gather(*(store.change_person(AMINA, saying(each), now=START) for each in said))

    all_of_it = replace(person(AMINA), hijri=True, muted=True, locale="ar-DZ", clock=time(8))
    assert await store.person(AMINA) == all_of_it


async def others(store, of, counted, *, task_id=None):
    """What a decision is told of how many others there are."""
    told = []

    def decide(sheet):
        told.append(sheet.others)
        return []

    await store.change(of.id, decide, now=START, task_id=task_id, counted=counted)
    return told[0]


async def test_snoozes_are_counted_that_are_the_users_and_still_to_come(store):
    mine, also_mine, cancelled, theirs = event(), event(), event(cancelled_at=START), event()
    for each in (mine, also_mine, cancelled):
        await store.create(each, member(each, AMINA))
    await store.create(theirs, member(theirs, BILAL))

    def asked(of, at=START + HOUR, who=AMINA, **changes):
        snoozed = TaskDetails(notes='"snoozes":[{', snoozes=(Snooze(uuid.uuid4(), who, at),))
        return replace(task(of, **changes), details=snoozed)

    first, second = asked(mine), asked(also_mine)
    await put(store, mine, first, task(mine), asked(mine, at=START), asked(mine, who=BILAL))
    await put(store, mine, asked(mine, done_at=START), asked(mine, deleted_at=START))
    await put(store, also_mine, second)
    for each in (cancelled, theirs):
        await put(store, each, asked(each))

    assert await others(store, mine, OtherSnoozes(AMINA), task_id=first.id) == 1
    assert await others(store, mine, OtherSnoozes(AMINA), task_id=uuid.uuid4()) == 2
    assert await others(store, mine, OtherSnoozes(CELIA), task_id=first.id) == 0
    assert await others(store, mine, None) == 0


async def test_guests_are_counted_who_are_invited_to_the_same_part(store):
    wedding, another = event(), event()

    def guest(of, user_id, part=MAIN):
        return Guest(guest_id(of.id, user_id, part), of.id, user_id, part, START)

    for each in (wedding, another):
        await store.create(each, None)
        await put(store, each, guest(each, AMINA), guest(each, BILAL), guest(each, CELIA, "henna"))

    assert await others(store, wedding, OtherGuests(guest(wedding, CELIA))) == 2
    assert await others(store, wedding, OtherGuests(guest(wedding, BILAL))) == 1
    assert await others(store, wedding, OtherGuests(guest(wedding, BILAL, "henna"))) == 1


async def test_a_user_finds_the_events_they_are_in_the_last_made_first(store):
    events = [replace(event(), created_at=LONG_AGO + timedelta(days=day)) for day in range(5)]
    for each in events:
        await store.create(each, member(each, BILAL))

    found, cursor = [], None
    for _ in range(3):
        page = await store.events_of(BILAL, cursor=cursor, limit=2)
        found += page.items
        cursor = page.cursor
    assert found == events[::-1]
    assert cursor is None
    assert (await store.events_of(CELIA, cursor=None, limit=2)).items == []


async def test_tasks_are_listed_page_by_page_in_the_order_they_were_made(store):
    wedding = event()
    await store.create(wedding, None)
    jobs = [replace(task(wedding), created_at=LONG_AGO + timedelta(days=day)) for day in range(5)]
    await put(store, wedding, *jobs)

    first = await store.tasks_of(wedding.id, cursor=None, limit=3)
    second = await store.tasks_of(wedding.id, cursor=first.cursor, limit=3)

    assert [*first.items, *second.items] == jobs
    assert second.cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "%", "AB", "MjAyNi0wMS0wMR94"])
async def test_a_cursor_that_no_listing_gave_is_refused(store, cursor):
    with pytest.raises(InvalidInput):
        await store.events_of(AMINA, cursor=cursor, limit=2)


async def test_a_new_zone_marks_every_plan_the_user_is_part_of_and_nothing_else_does(store, marks):
    mine, also_mine, cancelled, theirs = event(), event(), event(cancelled_at=START), event()
    for each in (mine, also_mine, cancelled):
        await store.create(each, member(each, BILAL))
    await store.create(theirs, member(theirs, CELIA))
    await marks()

    await put_person(store, person(BILAL, "Africa/Algiers"))
    assert sorted(await marks()) == sorted([mine.id, also_mine.id])

    await put_person(store, person(BILAL, "Africa/Algiers", "ar"))
    assert await marks() == []
    assert await store.person(BILAL) == person(BILAL, "Africa/Algiers", "ar")

    await put_person(store, person(BILAL, "Europe/Paris", "ar"))
    assert sorted(await marks()) == sorted([mine.id, also_mine.id])


async def test_who_has_no_profile_is_nobody(store):
    assert await store.person(AMINA) is None


def acted(of, action_id=uuid.UUID(int=1), user_id=AMINA):  # noqa: B008
    return Acted(
        user_id=user_id,
        action_id=action_id,
        kind=ActionKind.SNOOZE_1_HOUR,
        firing=bytes(range(16)),
        event_id=of.id,
        task_id=uuid.UUID(int=2),
        outcome=ActionOutcome.APPLIED,
        asked_at=START,
        acted_at=START,
        until=START + timedelta(hours=1),
    )


async def test_an_action_is_taken_once_with_what_it_changes_however_many_ask(store):
    weddings = [event(), event()]
    for each in weddings:
        await store.create(each, None)

    async def act(of):
        try:
            await put(store, of, member(of), acted(of))
        except ActedAlready:
            return False
        return True

    taken = await asyncio.gather(*(act(each) for each in weddings * 3))

    assert sum(taken) == 1
    members = [(await store.sheet(each.id)).members for each in weddings]
    assert sorted(map(len, members)) == [0, 1]
    (first,) = (each for each, there in zip(weddings, members, strict=True) if there)
    assert await store.acted(AMINA, uuid.UUID(int=1)) == acted(first)
    assert await store.acted(BILAL, uuid.UUID(int=1)) is None


async def test_actions_are_forgotten_the_oldest_first(store):
    wedding = event()
    await store.create(wedding, None)
    for number in range(3):
        taken = replace(acted(wedding, uuid.UUID(int=number)), acted_at=START + number * HOUR)
        await put(store, wedding, taken)

    assert await store.forget_actions(before=START + 2 * HOUR, limit=1) == 1
    assert await store.acted(AMINA, uuid.UUID(int=0)) is None
    assert await store.forget_actions(before=START + 2 * HOUR, limit=9) == 1
    assert await store.acted(AMINA, uuid.UUID(int=2)) is not None


@pytest.mark.external
@pytest.mark.parametrize("doing", ["change", "plan"])
async def test_an_event_is_held_while_it_is_changed_or_planned(
    postgres_database, postgres_database_url, doing
):
    calendar, store = SqlCalendarStore(postgres_database), SqlFiringStore(postgres_database)
    wedding = event()
    await calendar.create(wedding, None)
    free = []

    def looking(_):
        with ThreadPoolExecutor(1) as elsewhere:
            free.append(elsewhere.submit(asyncio.run, held_by_nobody(postgres_database_url)))
        return []

    if doing == "change":
        await calendar.change(wedding.id, looking, now=START)
    else:
        await store.reconcile([wedding.id], looking, since=START, until=START, now=START)

    assert free[0].result() == []
    assert await held_by_nobody(postgres_database_url) == [wedding.id]


async def held_by_nobody(url):
    """The events that another process could change now."""
    database = Database(DatabaseOptions(url=url))
    free = sa.select(EVENTS.c.id).with_for_update(key_share=True, skip_locked=True)
    async with database.transaction() as connection:
        ids = list((await connection.execute(free)).scalars())
    await database.close()
    return ids
