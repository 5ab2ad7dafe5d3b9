"""What erasing a user promises about events, tasks and reminders."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Row
from kernel.ids import UserId
from kernel.notices import RECALL, recall_of
from kernel.outbox import RETENTION
from notifications.adapters.sql_erasure import SqlEraser
from notifications.audit.types import Deed
from reminders.acting import Tap
from reminders.action import ActionKind
from reminders.adapters.firing_columns import columns_of_firing
from reminders.adapters.mapping import FIRINGS
from reminders.adapters.sheets import HELD
from reminders.adapters.sql_cards import SqlCardStore
from reminders.adapters.sql_erasure import DEALT_WITH, DELETED, CalendarEraser
from reminders.adapters.sql_saying import SqlSayingStore
from reminders.card import Card
from reminders.errors import EventNotFound
from reminders.feeds.errors import FeedNotFound
from reminders.feeds.types import Shown, Whose
from reminders.news import EVENT_CHANGED
from reminders.snoozing import Later
from reminders.types import OnDay, Payment, Role, TaskDetails
from server.wiring.tables import METADATA
from tests.support.factories_firings import firing
from tests.support.factories_reminders import (
    AMINA,
    BILAL,
    CELIA,
    OPTING,
    day_before,
    room,
    user,
)

ERASED = UserId("erasmus")
"""Whoever is erased, by a name that is no part of another word."""

ZONE = "Africa/Algiers"
PHONE = uuid4()


@pytest.fixture
def here(database, clock, metrics):
    return room(database, clock, metrics)


@pytest.fixture
def erase(database, clock):
    async def erase():
        eraser = SqlEraser(database, others=[CalendarEraser(database).erase])
        deed = Deed("key:1", "user.erased", "user:sha256:0")
        return await eraser.erase(ERASED, deed=deed, now=clock.now())

    return erase


async def tables_naming(database, text):
    """In which tables a text is found, in any column of any row."""
    found = set()
    async with database.reading() as connection:
        for table in METADATA.sorted_tables:
            rows = await connection.execute(sa.select(table))
            if any(text in str(value) for row in rows for value in row):
                found.add(table.name)
    return found


async def wedding_of(here, owner, **others):
    """An event of an owner's, with others in their roles."""
    day = (here.clock.now() + timedelta(days=3)).date()
    made = await here.events.create(user(owner), title="Mariage", zone=ZONE, day=day, at=None)
    for who, role in others.items():
        await here.events.put_member(
            user(owner), made.event.id, user_id=UserId(who), role=Role(role)
        )
    return made.event.id


async def live_in(here, database, wedding):
    """The user does whatever one can do in an event; its task."""
    day = (here.clock.now() + timedelta(days=3)).date()
    me = user(ERASED)
    here.owners.by_device[PHONE] = ERASED
    await here.people.put(me, zone=ZONE, locale="fr-DZ")
    details = TaskDetails(usual=True, payment=Payment(1, "DZD", "Chez Erasmus", ERASED))
    task = await here.tasks.create(
        me, wedding, title="Salle", due=OnDay(day), assignee_id=ERASED, details=details
    )
    await here.rules.put(
        me, wedding, rule_id=uuid4(), task_id=task.id, user_id=ERASED, lead=day_before(), exact=True
    )
    await here.choosing.choose(me, wedding, task.id, usual=True, nag=False)
    await here.guests.invite(me, wedding, user_id=ERASED, part="main")
    _, secret = await here.feeds.issue(me, event_id=wedding, shown=Shown.EVENTS, whose=Whose.ALL)
    await here.planner.step()
    here.clock.move(days=2, hours=4)
    await here.planner.step()
    await here.scheduler.step()
    await here.digester.step()
    for notice in await here.notices():
        if notice.user_ids == (ERASED,) and "action_token" in notice.data:
            await here.acting.act(
                Tap(notice.data["firing"], notice.data["action_token"], ActionKind.OPEN, uuid4())
            )
    await here.snoozing.snooze(
        me, wedding, task.id, action_id=uuid4(), choice=Later.TOMORROW, until=None
    )
    for days in (2, 1):
        here.clock.move(minutes=11)
        await here.moving.move(me, wedding, day=day + timedelta(days=days), at=None)
    await here.planner.step()
    until = here.clock.now() + timedelta(days=9)
    await here.local_alarms.acknowledge(me, PHONE, alarms=["a"], until=until)
    await here.guests.opt_out(OPTING.token(ERASED, wedding), everywhere=True)
    waiting = (await here.firings.upcoming(ERASED, cursor=None, limit=9)).items
    await SqlSayingStore(database).amend([], together=[waiting], now=here.clock.now())
    card = Card(uuid4(), 1, uuid4(), wedding, task.id, ERASED, here.clock.now())
    await SqlCardStore(database).add(card)
    return task.id, secret


async def test_nothing_names_an_erased_user_and_the_event_goes_on(here, erase, database):
    wedding = await wedding_of(here, AMINA, erasmus="owner", bilal="vendor")
    task_id, secret = await live_in(here, database, wedding)
    before = await tables_naming(database, ERASED)
    assert before >= {each.__tablename__ for each in DELETED} - {"reminder_budgets"}
    assert before >= set(DEALT_WITH)

    gone = await erase()

    news = await here.taken(EVENT_CHANGED)
    # Open screens are told who left; the outbox keeps that for its time, as all it handed over.
    assert [ERASED in each.payload.decode() for each in news[-2:]] == [False, True]
    await here.outbox.settle(news, now=here.clock.now())
    await here.outbox.prune(now=here.clock.now() + 2 * RETENTION, limit=99)
    assert await tables_naming(database, ERASED) == set()
    assert await tables_naming(database, "Erasmus") == set()
    assert (gone["events"], gone["events_changed"]) == (0, 1)
    assert gone["firing_log"] > 0
    task = await here.tasks.get(user(AMINA), wedding, task_id)
    assert task.task.assignee_id is None
    with pytest.raises(FeedNotFound):
        await here.feeds.read(secret)


async def test_what_was_the_erased_users_is_told_to_the_owners(here, erase, database):
    wedding = await wedding_of(here, AMINA, erasmus="collaborator")
    day = (here.clock.now() + timedelta(days=5)).date()
    details = TaskDetails(usual=True)
    await here.tasks.create(
        user(AMINA), wedding, title="Salle", due=OnDay(day), assignee_id=ERASED, details=details
    )
    await here.planner.step()

    await erase()
    await here.planner.step()

    assert (await here.firings.upcoming(ERASED, cursor=None, limit=9)).items == []
    assert (await here.firings.upcoming(AMINA, cursor=None, limit=9)).items != []


async def test_whoever_collaborated_the_longest_owns_what_has_no_owner(here, erase):
    wedding = await wedding_of(here, ERASED, bilal="vendor")
    for who in (CELIA, AMINA):
        here.clock.move(minutes=1)
        await here.events.put_member(user(ERASED), wedding, user_id=who, role=Role.COLLABORATOR)

    await erase()

    members = {
        each.user_id: each.role for each in (await here.events.get(user(CELIA), wedding)).members
    }
    assert members == {CELIA: Role.OWNER, AMINA: Role.COLLABORATOR, BILAL: Role.VENDOR}


async def test_an_event_that_nobody_is_left_to_decide_about_is_deleted(here, erase, database):
    wedding = await wedding_of(here, ERASED, bilal="vendor")
    await here.tasks.create(user(ERASED), wedding, title="Musique", due=None, assignee_id=BILAL)
    await here.guests.invite(user(ERASED), wedding, user_id=CELIA, part="main")
    await here.guests.opt_out(OPTING.token(CELIA, wedding), everywhere=False)
    other = await wedding_of(here, AMINA)

    gone = await erase()

    assert gone["events"] == 1
    assert await tables_naming(database, "Musique") == set()
    # Those who were in it are told that it is gone.
    assert await tables_naming(database, str(wedding)) <= {"outbox"}
    with pytest.raises(EventNotFound):
        await here.events.get(user(BILAL), wedding)
    assert (await here.events.get(user(AMINA), other)).event.title == "Mariage"


async def test_what_was_told_of_an_event_in_one_is_taken_back_when_it_is_deleted(here, erase):
    wedding = await wedding_of(here, ERASED, bilal="vendor")
    day = OnDay((here.clock.now() + timedelta(days=3)).date())
    for title in ("Musique", "Micro", "Lumières"):
        task = await here.tasks.create(
            user(ERASED), wedding, title=title, due=day, assignee_id=BILAL
        )
        about = {"rule_id": uuid4(), "task_id": task.id, "user_id": BILAL}
        await here.rules.put(user(ERASED), wedding, **about, lead=day_before(), exact=True)
    (told,) = await here.told_until(here.clock.now() + timedelta(days=2, hours=12))

    await erase()

    (recall,) = [recall_of(each.payload) for each in await here.taken(RECALL)]
    assert (recall.user_id, recall.collapse_key) == (BILAL, told.collapse_key)


async def test_who_plans_an_event_meanwhile_keeps_nothing_of_an_erased_guest(here, erase, database):
    """What is read about an event while it is held is true until it is let go."""
    wedding = (await here.events.get(user(AMINA), await wedding_of(here, AMINA))).event
    await here.guests.invite(user(AMINA), wedding.id, user_id=ERASED, part="main")
    waiting = firing(wedding, uuid4(), uuid4(), ERASED, here.clock.now())

    async with database.transaction() as planning:
        await planning.execute(HELD, {"event_id": wedding.id})
        erasing = asyncio.create_task(erase())
        # It may be done before us, or wait for us: afterwards nothing is left.
        await asyncio.wait([erasing], timeout=0.3)
        await planning.execute(FIRINGS.insert(), {"id": uuid4(), **columns_of_firing(waiting)})
    await erasing

    assert await tables_naming(database, ERASED) == set()


async def test_erasing_again_is_harmless(here, erase):
    await wedding_of(here, AMINA, erasmus="owner")
    await erase()

    assert set((await erase()).values()) == {0}


def test_every_table_that_names_users_is_dealt_with():
    """A new table with users in it belongs into `sql_erasure.py`."""
    ours = [each for each in Row.__subclasses__() if each.__module__.startswith("reminders.")]
    people = {"user_id", "created_by", "assignee_id"}
    naming = {each.__tablename__ for each in ours if people & set(each.model_fields)}

    assert naming == {each.__tablename__ for each in DELETED} | set(DEALT_WITH)
