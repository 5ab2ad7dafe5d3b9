"""What every firing store promises, over each database."""

import asyncio
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.database import table_of
from kernel.adapters.tables import OutboxRow
from reminders.adapters.mapping import FIRINGS, LOG
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.firing import FiringClass, Judgement, Look, Outcome, Tally
from reminders.handed import LATE, REMINDER, handed_of, handed_payload
from reminders.identity import shard_of
from reminders.oversight import Deed
from reminders.ports import Reconciled
from reminders.rules import plan
from reminders.types import FromEvent, Offset
from server.wiring.deeds import recorded
from tests.support.clock import START
from tests.support.factories_reminders import (
    AMINA,
    BILAL,
    CELIA,
    HOUR,
    TODAY,
    event,
    member,
    person,
    rule,
    server,
    task,
)
from tests.support.weddings import put_person

OUTBOX = table_of(OutboxRow)
UNTIL = START + timedelta(days=35)
LONG_BEFORE = START - timedelta(days=365)


@pytest.fixture
def calendar(database):
    return SqlCalendarStore(database)


@pytest.fixture
def store(database):
    return SqlFiringStore(database)


def fire(_due):
    return Judgement(Outcome.FIRED)


def stale(_due):
    return Judgement(Outcome.STALE)


async def wedding_with(calendar, *, tasks=1, users=(AMINA,), day=TODAY):
    """An event today, whose tasks' reminders were due yesterday at nine."""
    wedding = event(day=day)
    await calendar.create(wedding, None)
    changes = [
        *(member(wedding, user_id) for user_id in users),
        *(task(wedding) for _ in range(tasks)),
        rule(wedding),
    ]
    await calendar.change(wedding.id, lambda _: changes, now=START)
    return wedding


def coming(inputs):
    return plan(inputs, until=UNTIL)


def nothing(_inputs):
    return []


async def reconcile(store, *of, planned=coming, since=LONG_BEFORE, now=START):
    ids = [each.id for each in of]
    return await store.reconcile(ids, planned, since=since, until=UNTIL, now=now)


async def ends(database):
    """What became of all that was settled."""
    async with database.reading() as connection:
        return list((await connection.execute(sa.select(LOG.c.outcome))).scalars())


def as_usual(_class, _habits):
    return True


def never_usual(_class, _habits):
    return False


async def fire_all(store, judge=None, *, now=START, limit=500, by_user=False):
    """How many firings came to which end: as usual, or each as `judge` says."""
    usual, look = never_usual if judge else as_usual, Look(now, by_user=by_user)
    ends = Counter()
    for shard in await store.due_shards(look):
        for tally in await store.fire_due(shard, judge, usual, look=look, now=now, limit=limit):
            ends[tally.outcome] += len(tally.lateness)
    return ends


async def count(database, table):
    async with database.reading() as connection:
        return (
            await connection.execute(sa.select(sa.func.count()).select_from(table))
        ).scalar_one()


async def rows(database, table):
    async with database.reading() as connection:
        return list(await connection.execute(sa.select(table)))


async def wait_again(database, waiting):
    """What a planner does that had looked before these were settled."""
    again = [{**each._mapping, "id": uuid.uuid4()} for each in waiting]
    async with database.transaction() as connection:
        await connection.execute(FIRINGS.insert(), again)


async def handed_over(database):
    """What the outbox holds of firings; what else it holds is told by other hands."""
    found = await rows(database, OUTBOX)
    return [handed_of(each.payload.encode()) for each in found if each.kind in (REMINDER, LATE)]


async def test_reconciling_writes_the_plan_and_the_second_time_nothing(store, calendar, database):
    wedding = await wedding_with(calendar, tasks=3)

    assert await reconcile(store, wedding) == Reconciled(added=3)
    assert await reconcile(store, wedding) == Reconciled()

    assert await count(database, FIRINGS) == 3


async def test_events_are_reconciled_together_each_as_if_it_were_alone(store, calendar, database):
    first = await wedding_with(calendar, tasks=2, users=(AMINA, BILAL))
    second = await wedding_with(calendar, tasks=3)
    gone = event()
    alone = [await reconcile(store, each) for each in (first, second)]
    alone_rows = {
        (row.event_id, row.dedupe_key, row.due_at) for row in await rows(database, FIRINGS)
    }
    async with database.transaction() as connection:
        await connection.execute(FIRINGS.delete())

    together = await reconcile(store, second, gone, first)

    assert together == Reconciled(added=sum(each.added for each in alone))
    assert {
        (row.event_id, row.dedupe_key, row.due_at) for row in await rows(database, FIRINGS)
    } == alone_rows
    assert await reconcile(store, first, second) == Reconciled()


async def test_one_event_that_cannot_be_planned_undoes_the_others_beside_it(
    store, calendar, database
):
    fine, broken = await wedding_with(calendar), await wedding_with(calendar)

    def planned(inputs):
        if inputs.event.id == broken.id:
            raise ValueError("no such zone")
        return plan(inputs, until=UNTIL)

    with pytest.raises(ValueError, match="no such zone"):
        await reconcile(store, fine, broken, planned=planned)

    assert await count(database, FIRINGS) == 0
    assert set(await store.to_plan(top_up_before=START, limit=9, without=())) == {
        fine.id,
        broken.id,
    }


async def test_reconciling_moves_and_removes_what_is_no_longer_planned(store, calendar):
    wedding = await wedding_with(calendar, tasks=2)
    await reconcile(store, wedding)

    await put_person(calendar, person(AMINA, "Asia/Kathmandu"))
    assert await reconcile(store, wedding) == Reconciled(moved=2)

    cancelled = replace(wedding, cancelled_at=START)
    await calendar.change(wedding.id, lambda _: [cancelled], now=START)
    assert await reconcile(store, wedding) == Reconciled(removed=2)


async def test_a_firing_that_was_superseded_may_come_back(store, calendar):
    wedding = await wedding_with(calendar)
    await reconcile(store, wedding)
    for day, written in (
        (TODAY + timedelta(days=3), Reconciled(added=1, removed=1)),
        (TODAY, Reconciled(added=1, removed=1)),
    ):
        moved = replace(wedding, day=day)
        await calendar.change(wedding.id, lambda _, moved=moved: [moved], now=START)
        assert await reconcile(store, wedding) == written


async def test_a_firing_that_was_settled_is_never_planned_again(store, calendar):
    wedding = await wedding_with(calendar)
    await reconcile(store, wedding)
    assert await fire_all(store) == {Outcome.FIRED: 1}

    assert await reconcile(store, wedding) == Reconciled()


async def test_what_should_have_gone_off_too_long_ago_is_not_planned_but_what_waits_stays(
    store, calendar
):
    wedding = await wedding_with(calendar)

    assert await reconcile(store, wedding, since=START) == Reconciled()
    assert await reconcile(store, wedding) == Reconciled(added=1)
    assert await reconcile(store, wedding, since=START) == Reconciled()


async def test_a_marked_plan_is_to_be_made_until_it_is(store, calendar):
    wedding = await wedding_with(calendar)
    other = await wedding_with(calendar)

    async def to_plan(**changes):
        asked = {"top_up_before": LONG_BEFORE, "limit": 10, "without": (), **changes}
        return await store.to_plan(**asked)

    assert await to_plan() == [wedding.id, other.id]
    assert await to_plan(limit=1) == [wedding.id]
    assert await to_plan(without={wedding.id}) == [other.id]
    backlog = await store.backlog(START + HOUR)
    assert (backlog.marks, backlog.oldest_age > 3599) == (4, True)

    await reconcile(store, wedding)
    assert await to_plan() == [other.id]


async def test_what_somebody_changed_is_planned_before_what_was_marked_with_everything(
    store, calendar, database
):
    first, second = await wedding_with(calendar), await wedding_with(calendar)
    await reconcile(store, first)
    await reconcile(store, second)
    deed = Deed(server(), "reminders.replanned", "reminders:all")
    await SqlOperatingStore(database, recorded).mark_all(deed=deed, now=START)

    await calendar.change(second.id, lambda _: [task(second)], now=START)

    marked = await store.to_plan(top_up_before=LONG_BEFORE, limit=10, without=())
    assert marked == [second.id, first.id]


async def test_a_plan_that_ends_soon_is_to_be_made_further(store, calendar):
    wedding = await wedding_with(calendar)
    await reconcile(store, wedding)

    async def ending(before):
        return await store.to_plan(top_up_before=before, limit=10, without=())

    assert await ending(UNTIL) == []
    assert await ending(UNTIL + HOUR) == [wedding.id]


async def test_a_mark_of_an_event_that_is_gone_is_taken_off(store, calendar, database):
    wedding = await wedding_with(calendar)
    async with database.transaction() as connection:
        await connection.execute(sa.text("DELETE FROM events"))

    assert await reconcile(store, wedding) == Reconciled()
    assert (await store.backlog(START)).marks == 0


async def test_only_shards_with_due_firings_are_due(store, calendar):
    users = [AMINA, BILAL, CELIA]
    wedding = await wedding_with(calendar, users=users)
    await reconcile(store, wedding)
    nine = START - timedelta(days=1)

    prompt = {shard_of(each, prompt=True): nine for each in users}
    assert await store.due_shards(Look(nine - timedelta(seconds=1))) == {}
    assert await store.due_shards(Look(START)) == prompt
    assert await store.due_shards(Look(START, since=nine)) == prompt
    assert await store.due_shards(Look(START, since=START)) == {}
    assert await store.due_shards(Look(START, paused=[FiringClass.EXACT_CALENDAR])) == {}


@pytest.mark.parametrize(("judge", "usual"), [(None, as_usual), (fire, never_usual)])
async def test_a_due_firing_is_handed_over_and_leaves_a_record(
    store, calendar, database, judge, usual
):
    wedding = await wedding_with(calendar)
    await reconcile(store, wedding)

    (waiting,) = (await store.upcoming(AMINA, cursor=None, limit=9)).items

    (tally,) = await store.fire_due(
        shard_of(AMINA, prompt=True), judge, usual, look=Look(START), now=START, limit=9
    )

    assert tally == Tally(FiringClass.EXACT_CALENDAR, Outcome.FIRED, [86400.0])
    assert await count(database, FIRINGS) == 0
    assert await handed_over(database) == [handed_of(handed_payload(waiting))]
    (settled,) = await store.settled(waiting.task_id, AMINA)
    assert (settled.outcome, settled.lateness) == (Outcome.FIRED, timedelta(days=1))
    assert await store.settled(waiting.task_id, BILAL) == []


async def test_what_is_not_due_yet_stays(store, calendar):
    wedding = await wedding_with(calendar, day=TODAY + timedelta(days=2))
    await reconcile(store, wedding)

    assert await fire_all(store) == {}
    page = await store.upcoming(AMINA, cursor=None, limit=10)
    assert [firing.due_at for firing in page.items] == [START + timedelta(days=1)]


async def test_a_judgement_sees_what_is_true_now(store, calendar):
    wedding = await wedding_with(calendar)
    await reconcile(store, wedding)
    await put_person(calendar, person(AMINA, locale="ar"))
    moved = replace(wedding, title="changed")
    await calendar.change(wedding.id, lambda _: [moved], now=START)
    seen = []

    def look(due):
        seen.append(due)
        return Judgement(Outcome.GONE, "looked")

    await fire_all(store, look)

    (due,) = seen
    assert due.event == moved
    assert due.person == person(AMINA, locale="ar")
    assert due.task.event_id == wedding.id
    assert due.firing.event_version == 1
    assert due.standing


@pytest.mark.parametrize("missing", ["rules", "event_members"])
async def test_without_its_rule_or_member_a_firing_does_not_stand(
    store, calendar, database, missing
):
    wedding = await wedding_with(calendar)
    await reconcile(store, wedding)
    async with database.transaction() as connection:
        await connection.execute(sa.text(f"DELETE FROM {missing}"))

    assert await fire_all(store) == {Outcome.GONE: 1}

    (record,) = await rows(database, LOG)
    assert record.reason == "rule or membership gone"


async def test_a_stale_firing_is_removed_and_its_plan_decides_whether_it_waits_again(
    store, calendar, database
):
    wedding = await wedding_with(calendar, tasks=2)
    await reconcile(store, wedding)

    assert await fire_all(store, stale) == {Outcome.STALE: 2}

    assert await count(database, FIRINGS) == 0
    assert await ends(database) == [Outcome.SUPERSEDED] * 2
    assert await store.to_plan(top_up_before=LONG_BEFORE, limit=9, without=()) == [wedding.id]
    assert await reconcile(store, wedding) == Reconciled(added=2)
    assert await count(database, LOG) == 0


@pytest.mark.parametrize("judge", [None, fire])
async def test_all_of_a_user_goes_off_in_one_where_users_are_looked_at(
    store, calendar, database, judge
):
    wedding = await wedding_with(calendar, tasks=3, users=(AMINA, BILAL))
    await reconcile(store, wedding)
    waiting = [
        handed
        for user in (AMINA, BILAL)
        for each in (await store.upcoming(user, cursor=None, limit=9)).items
        for handed in handed_of(handed_payload(each))
    ]

    ends = await fire_all(store, judge, limit=1, by_user=True)

    assert ends == {Outcome.FIRED: 6}
    handed = await handed_over(database)
    assert [len(each) for each in handed] == [3, 3]
    assert {each.key: each for some in handed for each in some} == {
        each.key: each for each in waiting
    }


async def test_what_waits_beyond_its_time_and_is_planned_no_more_is_on_record_until_it_is(
    store, calendar, database
):
    wedding = await wedding_with(calendar)
    await reconcile(store, wedding)

    gone = await reconcile(store, wedding, planned=nothing)

    assert gone == Reconciled(removed=1)
    assert await count(database, FIRINGS) == 0
    assert await ends(database) == [Outcome.SUPERSEDED]
    # However long ago that was.
    assert await reconcile(store, wedding, since=UNTIL) == Reconciled(added=1)
    assert await count(database, LOG) == 0
    assert await fire_all(store) == {Outcome.FIRED: 1}
    assert await ends(database) == [Outcome.FIRED]


async def test_what_is_planned_no_more_before_its_time_leaves_nothing(store, calendar, database):
    wedding = await wedding_with(calendar)
    early = START - timedelta(days=30)
    await reconcile(store, wedding, now=early)

    assert await reconcile(store, wedding, planned=nothing, now=early) == Reconciled(removed=1)

    assert await count(database, LOG) == 0


@pytest.mark.parametrize("judge", [None, fire])
async def test_a_firing_planned_twice_by_a_race_still_goes_off_once(
    store, calendar, database, judge
):
    wedding = await wedding_with(calendar)
    await reconcile(store, wedding)
    waiting = await rows(database, FIRINGS)
    await fire_all(store)
    await wait_again(database, waiting)

    assert await fire_all(store, judge) == {None: 1}

    assert len(await handed_over(database)) == 1
    assert await count(database, FIRINGS) == 0


async def test_one_that_a_race_planned_twice_is_taken_away_by_the_next_plan(
    store, calendar, database
):
    wedding = await wedding_with(calendar)
    await reconcile(store, wedding)
    waiting = await rows(database, FIRINGS)
    await fire_all(store)
    await wait_again(database, waiting)

    assert await reconcile(store, wedding) == Reconciled(removed=1)


@pytest.mark.external
@pytest.mark.parametrize("judge", [None, fire])
async def test_a_firing_that_another_scheduler_holds_is_passed_over(postgres_database, judge):
    calendar, store = SqlCalendarStore(postgres_database), SqlFiringStore(postgres_database)
    wedding = await wedding_with(calendar, tasks=2)
    await reconcile(store, wedding)
    async with postgres_database.transaction() as connection:
        one = sa.select(FIRINGS.c.id).order_by(FIRINGS.c.id).limit(1).with_for_update()
        await connection.execute(one)

        assert await fire_all(store, judge) == {Outcome.FIRED: 1}

    assert await fire_all(store, judge) == {Outcome.FIRED: 1}


async def test_a_raising_judgement_undoes_the_batch(store, calendar, database):
    wedding = await wedding_with(calendar, tasks=2)
    await reconcile(store, wedding)

    def broken(_due):
        raise ArithmeticError("a bug")

    with pytest.raises(ArithmeticError):
        await fire_all(store, broken)

    assert await count(database, FIRINGS) == 2
    assert await count(database, LOG) == 0


async def test_what_the_database_refuses_is_buried_and_its_neighbours_go_off(
    store, calendar, database
):
    wedding = await wedding_with(calendar, tasks=4)
    await reconcile(store, wedding)
    async with database.reading() as connection:
        poisoned = (await connection.execute(sa.select(FIRINGS.c.task_id).limit(1))).scalar_one()

    def poison(due):
        if due.firing.task_id == poisoned:
            return Judgement(Outcome.DEFERRED, until=None)
        return fire(due)

    assert await fire_all(store, poison) == {Outcome.FIRED: 3, Outcome.DEAD: 1}
    (dead,) = await store.settled(poisoned, AMINA)
    assert dead.reason.startswith("refused by the database: ")
    assert len(await handed_over(database)) == 3
    assert await count(database, FIRINGS) == 0


async def test_what_went_off_before_does_not_again_beside_what_the_database_refuses(
    store, calendar, database
):
    await reconcile(store, await wedding_with(calendar))
    waiting = await rows(database, FIRINGS)
    await fire_all(store)
    other = await wedding_with(calendar)
    await reconcile(store, other)
    await wait_again(database, waiting)

    def poison(due):
        return Judgement(Outcome.DEFERRED) if due.event.id == other.id else fire(due)

    assert await fire_all(store, poison) == {None: 1, Outcome.DEAD: 1}

    assert len(await handed_over(database)) == 1


async def test_the_oldest_go_first_and_no_more_than_asked(store, calendar, database):
    first = await wedding_with(calendar, day=TODAY - timedelta(days=2))
    last = await wedding_with(calendar)
    middle = await wedding_with(calendar, day=TODAY - timedelta(days=1))
    for each in (first, last, middle):
        await reconcile(store, each)

    gone_off = []
    for _ in range(3):
        await fire_all(store, limit=1)
        recorded = [each.event_id for each in await rows(database, LOG)]
        gone_off += set(recorded) - set(gone_off)

    assert gone_off == [first.id, middle.id, last.id]


async def test_upcoming_firings_are_listed_page_by_page_the_next_first(store, calendar):
    wedding = event(day=TODAY + timedelta(days=20))
    await calendar.create(wedding, member(wedding))
    jobs = [task(wedding, FromEvent(Offset(days=-number))) for number in range(5)]
    await calendar.change(wedding.id, lambda _: [*jobs, rule(wedding)], now=START)
    await reconcile(store, wedding)

    found, cursor = [], None
    for _ in range(3):
        page = await store.upcoming(AMINA, cursor=cursor, limit=2)
        found += page.items
        cursor = page.cursor

    assert [firing.task_id for firing in found] == [job.id for job in jobs[::-1]]
    assert cursor is None


async def test_each_firing_goes_off_once_however_many_schedulers_and_planners_run(
    calendar, database
):
    """Four schedulers over thousands of firings while two planners plan the same events."""
    users = [f"user-{number}" for number in range(10)]
    weddings = [await wedding_with(calendar, tasks=100, users=users) for _ in range(3)]
    for wedding in weddings:
        await reconcile(SqlFiringStore(database), wedding)
    assert await count(database, FIRINGS) == 3000

    async def schedule(first_shard):
        store, look, gone_off = SqlFiringStore(database), Look(START), 0
        while shards := await store.due_shards(look):
            for shard in sorted(shards, key=lambda each: (each - first_shard) % 32):
                # Every other one looks at each firing itself.
                usual = as_usual if first_shard % 16 else never_usual
                for tally in await store.fire_due(
                    shard, fire, usual, look=look, now=START, limit=97
                ):
                    assert tally.outcome is Outcome.FIRED
                    gone_off += len(tally.lateness)
        return gone_off

    async def keep_planning():
        store = SqlFiringStore(database)
        for _ in range(3):
            for wedding in weddings:
                await reconcile(store, wedding)
        return 0

    rounds = await asyncio.gather(
        *(schedule(first) for first in (0, 8, 16, 24)), keep_planning(), keep_planning()
    )

    assert sum(rounds) == 3000
    assert len({(each.task_id, each.user_id) for each in await rows(database, LOG)}) == 3000
    assert len(await handed_over(database)) == await count(database, LOG) == 3000
    for wedding in weddings:
        assert await reconcile(SqlFiringStore(database), wedding) == Reconciled()
