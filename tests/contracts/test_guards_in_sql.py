"""What SQL makes of due firings is what the rules in Python make of them."""

import random
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa

from kernel.ids import new_id
from reminders.adapters.firing_columns import columns_of_firing
from reminders.adapters.mapping import FIRINGS, LOG, MARKS
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.sql_guests import SqlGuestStore
from reminders.days import MAIN
from reminders.event_news import MOVED
from reminders.firing import DueFiring, FiringClass, Look, Outcome
from reminders.guest import EVERYWHERE, Answer, Guest
from reminders.handover import PLANNED_OTHERWISE, judge, needs_a_look
from reminders.person import Quiet
from reminders.ports import DropRule
from reminders.times import wall_of
from reminders.types import Role
from reminders.usual import FIRST_USUAL, OPENS
from tests.support.clock import START
from tests.support.factories_firings import firing, record
from tests.support.factories_reminders import AMINA, BILAL, HOUR, event, member, person, rule, task
from tests.support.weddings import put_person

ZONES = ("Africa/Algiers", "America/Vancouver", "Asia/Kathmandu")


@pytest.mark.parametrize("seed", range(2))
async def test_sql_and_the_rules_judge_alike(database, seed):
    dice = random.Random(seed)
    calendar, store = SqlCalendarStore(database), SqlFiringStore(database)
    given = [await due_firing(calendar, dice, number) for number in range(120)]
    async with database.transaction() as connection:
        rows = [{"id": new_id(START), **columns_of_firing(each.firing)} for each in given]
        await connection.execute(FIRINGS.insert(), rows)
        await connection.execute(MARKS.delete())

    def usual(firing_class, habits):
        return not needs_a_look(firing_class, habits, START, ())

    look = Look(START)
    for shard in await store.due_shards(look):
        await store.fire_due(
            shard, lambda due: judge(due, now=START), usual, look=look, now=START, limit=500
        )

    expected = {each.firing.dedupe_key: judge(each, now=START) for each in given}
    recorded = {
        key: (judgement.outcome, judgement.reason)
        for key, judgement in expected.items()
        if judgement.outcome not in (Outcome.STALE, Outcome.DEFERRED)
    }
    stale = {key for key, each in expected.items() if each.outcome is Outcome.STALE}
    recorded |= dict.fromkeys(stale, (Outcome.SUPERSEDED, PLANNED_OTHERWISE))
    async with database.reading() as connection:
        found = list(await connection.execute(sa.select(LOG)))
        waiting = set((await connection.execute(sa.select(FIRINGS.c.dedupe_key))).scalars())
        marked = set((await connection.execute(sa.select(MARKS.c.event_id))).scalars())
    assert {each.dedupe_key: (each.outcome, each.reason) for each in found} == recorded
    assert waiting == {
        key for key, judgement in expected.items() if judgement.outcome is Outcome.DEFERRED
    }
    # A planner may have looked before it was removed: so the plan is made once more.
    assert marked == {each.firing.event_id for each in given if each.firing.dedupe_key in stale}
    assert len(Counter(each.outcome for each in expected.values())) >= 6


async def test_a_guest_is_asked_twice_at_most_whatever_is_planned(database):
    """What became something else than a question does not count."""
    calendar, store, now = SqlCalendarStore(database), SqlFiringStore(database), START + 4 * HOUR
    about = event()
    guest = Guest(uuid.uuid4(), about.id, AMINA, MAIN, START)
    await calendar.create(about, None)
    await calendar.change(about.id, lambda _: [guest], now=START)
    firings = [
        firing(about, guest.id, uuid.uuid4(), AMINA, now, firing_class=FiringClass.GUEST)
        for _ in range(3)
    ]
    unasked = [firing(about, guest.id, uuid.uuid4(), AMINA, START) for _ in range(2)]
    async with database.transaction() as connection:
        await connection.execute(LOG.insert(), [record(each, Outcome.MUTED) for each in unasked])
        rows = [{"id": new_id(now), **columns_of_firing(each)} for each in firings]
        await connection.execute(FIRINGS.insert(), rows)

    for _ in firings:
        (shard,) = await store.due_shards(Look(now))
        await store.fire_due(
            shard,
            lambda due: judge(due, now=now),
            lambda *_: False,
            look=Look(now),
            now=now,
            limit=1,
        )

    async with database.reading() as connection:
        ends = Counter((await connection.execute(sa.select(LOG.c.outcome))).scalars())
    assert ends == {Outcome.MUTED: 2, Outcome.FIRED: 2, Outcome.GONE: 1}


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_guest_who_wants_to_be_left_alone_is_not_asked(database, elsewhere):
    """Nor if that was said after the question had been planned, or in all events at once."""
    calendar, store, now = SqlCalendarStore(database), SqlFiringStore(database), START + 4 * HOUR
    about = event()
    guests = [Guest(uuid.uuid4(), about.id, each, MAIN, START) for each in (AMINA, BILAL)]
    await calendar.create(about, None)
    await calendar.change(about.id, lambda _: guests, now=START)
    firings = [
        firing(about, each.id, uuid.uuid4(), each.user_id, now, firing_class=FiringClass.GUEST)
        for each in guests
    ]
    async with database.transaction() as connection:
        rows = [{"id": new_id(now), **columns_of_firing(each)} for each in firings]
        await connection.execute(FIRINGS.insert(), rows)
    place = EVERYWHERE if elsewhere else about.id
    await SqlGuestStore(database).opt_out(AMINA, place, now=now)
    await SqlGuestStore(database).opt_out(BILAL, event().id, now=now)

    for shard in await store.due_shards(Look(now)):
        await store.fire_due(shard, None, lambda *_: True, look=Look(now), now=now, limit=9)

    async with database.reading() as connection:
        ends = {row.user_id: row.outcome for row in await connection.execute(sa.select(LOG))}
    assert ends == {AMINA: Outcome.GONE, BILAL: Outcome.FIRED}


async def due_firing(calendar, dice, number):
    """A firing whose time has come, with something that may have changed since."""

    def rarely():
        return dice.random() < 0.15

    who = f"{AMINA}-{number}"
    about = event(zone=dice.choice(ZONES))
    job = task(about)
    what = rule(about)
    role = dice.choice([Role.OWNER, Role.VENDOR])
    await calendar.create(about, member(about, who, role))
    await calendar.change(about.id, lambda _: [job, what], now=START)
    due_at = START - timedelta(minutes=dice.choice([0, 5, 10, 20, 40, 60, 300, 1500]))
    zone = dice.choice(ZONES)
    given = firing(
        about,
        uuid.uuid4() if rarely() else job.id,
        dice.choice([FIRST_USUAL, OPENS, MOVED]) if rarely() else what.id,
        who,
        due_at,
        nominal_day=wall_of(START + dice.choice([1, 30]) * HOUR, zone).date(),
        firing_class=dice.choice(list(FiringClass)),
        grace=timedelta(minutes=dice.choice([0, 10, 60])),
        useful_until=due_at + dice.choice([1, 30]) * HOUR,
        zone=zone,
        event_version=2 if rarely() else 1,
        task_version=2 if rarely() else 1,
    )
    standing = True
    if rarely():
        about = replace(about, cancelled_at=START)
    if rarely():
        job = replace(job, done_at=START)
    if rarely():
        job = replace(job, deleted_at=START)
    changes = [about, job]
    if rarely():
        changes.append(DropRule(what.id))
        standing = given.rule_id != what.id
    await calendar.change(about.id, lambda _: changes, now=START)
    profile = None
    if dice.random() < 0.6:
        profile = replace(
            person(who, dice.choice(ZONES)),
            muted=rarely(),
            quiet=dice.choice([None, Quiet(START.time(), (START + HOUR).time())]),
            device_zone=dice.choice([None, *ZONES]),
            follow_device=dice.random() < 0.5,
        )
        await put_person(calendar, profile)
    if given.firing_class is FiringClass.GUEST:
        return await guest_firing(calendar, given, about, profile, has_answered=rarely())
    known = job if given.task_id == job.id else None
    at_work = role is Role.VENDOR and given.rule_id != MOVED
    return DueFiring(given, about, known, profile, standing=standing, at_work=at_work)


async def guest_firing(calendar, firing, about, profile, *, has_answered):
    """The firing as one that asks a guest, who may have answered since."""
    answer = Answer.YES if has_answered else Answer.INVITED
    guest = Guest(uuid.uuid4(), about.id, firing.user_id, MAIN, START, answer)
    await calendar.change(about.id, lambda _: [guest], now=START)
    asked = msgspec.structs.replace(firing, task_id=guest.id)
    return DueFiring(asked, about, None, profile, standing=not has_answered)
