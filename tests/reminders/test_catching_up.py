"""After an outage what is due now comes first, and what is late in few pushes and not too fast."""

import uuid
from datetime import date, datetime, time, timedelta

import pytest

from kernel.adapters.sql_leases import SqlLeases
from kernel.notices import notice_of
from kernel.workers import Pulse
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.catching_up import BEHIND, LateTurn
from reminders.firing import FiringClass
from reminders.handed import LATE, REMINDER
from reminders.scheduler import Scheduler, SchedulerOptions
from reminders.times import resolve
from reminders.types import CalendarLead, Offset, OnDay, Payment, Role, TaskDetails
from server.wiring.deeds import recorded
from tests.support.factories_reminders import AMINA, BILAL, CELIA, server, user
from tests.support.metrics import value_of

ALGIERS = "Africa/Algiers"
TUESDAY = date(2026, 4, 7)
ELEVEN = time(11)

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is decided when words are found is the same on both."""


@pytest.fixture
def schedulers(anywhere, database, metrics):
    """As many as a test wants, each with its turn at what is late: so many in a second."""

    def scheduler(name="one", per_second=3.0):
        late = LateTurn(
            SqlLeases(database), node_id=name, clock=anywhere.clock, per_second=per_second
        )
        return Scheduler(
            store=anywhere.firings,
            operating=SqlOperatingStore(database, recorded),
            almanac=anywhere.almanac,
            clock=anywhere.clock,
            metrics=metrics,
            options=SchedulerOptions(),
            relaying=Pulse(),
            late=late,
        )

    return scheduler


async def wedding(room, *owners):
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone=ALGIERS, day=date(2026, 7, 10), at=None
    )
    for owner in owners:
        await room.events.put_member(user(AMINA), sheet.event.id, user_id=owner, role=Role.OWNER)
    return sheet.event.id


async def task(room, event_id, *, days=7, at=ELEVEN, exact=False, title="Salle", **details):
    """One that owners are told of on Tuesday, so many days before it is due."""
    made = await room.tasks.create(
        user(AMINA),
        event_id,
        title=title,
        due=OnDay(TUESDAY + timedelta(days=days)),
        details=TaskDetails(**details),
    )
    await room.rules.put(
        user(AMINA),
        event_id,
        rule_id=uuid.uuid4(),
        task_id=made.id,
        user_id=None,
        lead=CalendarLead(Offset(days=days), at),
        exact=exact,
    )
    return made


async def nobody_works_until(room, at):
    await room.planner.step()
    then = resolve(datetime.combine(TUESDAY, at), ALGIERS)
    room.clock.move(seconds=(then - room.clock.now()).total_seconds())


@pytest.fixture
def room(anywhere):
    anywhere.clock.move(days=33)
    return anywhere


async def test_what_is_late_goes_behind_what_is_due_now_and_no_faster_than_it_may(
    room, schedulers, metrics
):
    others = [f"guest-{number}" for number in range(7)]
    await task(room, await wedding(room, *others))
    await task(room, await wedding(room, BILAL), at=time(13))
    await task(room, await wedding(room), exact=True)
    await nobody_works_until(room, time(13, 6))
    scheduler = schedulers()

    # Of the thirteen o'clock two, the exact one that is late, and three of the eight others.
    assert await scheduler.step() == 2 + 1 + 3
    assert value_of(metrics, "reminders_catching_up") == 1
    assert await scheduler.step() == 0
    room.clock.move(seconds=1)
    assert await scheduler.step() == 3
    room.clock.move(seconds=1)
    assert await scheduler.step() == 2
    assert await scheduler.step() == 0
    assert value_of(metrics, "reminders_catching_up") == 0


async def test_schedulers_share_the_rate_and_another_goes_on_when_one_dies(room, schedulers):
    await task(room, await wedding(room, *(f"guest-{number}" for number in range(7))))
    await nobody_works_until(room, time(13))
    one, other = schedulers("one"), schedulers("other")

    assert await one.step() == 3
    assert await other.step() == 0
    room.clock.move(seconds=40)

    assert await other.step() == 3


class Awaited(SqlLeases):
    """Those of a database that takes its time to answer."""

    def __init__(self, database, clock):
        super().__init__(database)
        self.clock = clock

    async def claim(self, name, **asked):
        lease = await super().claim(name, **asked)
        self.clock.move(seconds=40)
        return lease


async def test_a_turn_that_is_over_by_the_time_it_was_given_lets_nothing_go_off(database, clock):
    share = {"clock": clock, "per_second": 3.0}
    late = LateTurn(Awaited(database, clock), node_id="late", **share)
    other = LateTurn(SqlLeases(database), node_id="other", **share)

    assert await late.allowed() == 0
    assert await other.allowed() == 3


@on_sqlite
async def test_a_scheduler_that_goes_on_keeps_its_turn(database, clock):
    leases, share = SqlLeases(database), {"clock": clock, "per_second": 3.0}
    one, other = (LateTurn(leases, node_id=each, **share) for each in ("one", "other"))
    assert await one.allowed() == 3

    for _ in range(6):
        clock.move(seconds=9)
        assert [await other.allowed(), await one.allowed()] == [0, 3]


async def test_what_a_pause_held_back_goes_no_faster_either(room, schedulers):
    await task(room, await wedding(room, BILAL, CELIA))
    await room.planner.step()
    await room.operating.pause(server(), FiringClass.POLICY_FAR)
    await nobody_works_until(room, time(11, 5))
    scheduler = schedulers(per_second=1.0)
    assert await scheduler.step() == 0
    room.clock.move(hours=1)
    assert await scheduler.step() == 0

    await room.operating.resume(server(), FiringClass.POLICY_FAR)

    for _ in range(3):
        assert await scheduler.step() == 1
        room.clock.move(seconds=1)


@on_sqlite
async def test_one_user_is_told_the_most_important_by_itself_and_the_rest_in_one(
    room, schedulers, metrics
):
    here = await wedding(room)
    await task(room, here, days=1, title="Robe")
    late = [await task(room, here, at=time(11, minute)) for minute in (0, 10, 20)]
    await nobody_works_until(room, time(12))

    # All of one user's go at once, though one may.
    assert await schedulers(per_second=1.0).step() == 4

    one, rest = sorted(await room.notices(), key=lambda notice: notice.template, reverse=True)
    assert (one.template, one.variables["task"]) == ("task.reminder", "Robe")
    assert (rest.template, rest.data["count"]) == ("task.missed", "3")
    for each in late:
        (settled,) = await room.firings.settled(each.id, AMINA)
        assert (settled.outcome, settled.reason) == (
            "folded",
            "late by an outage; told in one with others",
        )
    folded = {"class": "policy_far", "outcome": "folded", "reason": "outage"}
    assert value_of(metrics, "reminders_said_total", **folded) == 3
    near = {"class": "policy_near"}
    assert value_of(metrics, "reminders_said_lateness_seconds_count", **near) == 1


async def test_however_little_a_relay_takes_at_once_a_user_is_told_in_one(room, schedulers):
    here = await wedding(room, BILAL, CELIA)
    for minute in range(5):
        await task(room, here, at=time(9, minute), title=f"{minute}")
    await nobody_works_until(room, time(12))

    await schedulers(per_second=100.0).step()

    told = []
    while taken := await room.outbox.claim(
        [REMINDER, LATE], now=room.clock.now(), lease=BEHIND, limit=1
    ):
        told += await room.announcer.handle(taken)
    notices = [notice_of(entry.payload) for entry in told]
    assert sorted(notice.user_ids for notice in notices) == [(AMINA,), (BILAL,), (CELIA,)]
    assert {(each.template, each.data["count"]) for each in notices} == {("task.missed", "5")}


@on_sqlite
async def test_two_that_are_late_are_told_by_themselves(room, schedulers):
    here = await wedding(room)
    await task(room, here, days=1, title="Robe")
    await task(room, here, days=2, title="Acompte", payment=Payment(10_000, "DZD"))
    await nobody_works_until(room, time(12))

    await schedulers().step()

    told = await room.notices()
    assert sorted(each.variables["task"] for each in told) == ["Acompte", "Robe"]


@on_sqlite
async def test_what_was_timed_and_is_late_may_not_disturb_any_more(room, schedulers):
    here = await wedding(room)
    await task(room, here, exact=True, at=time(11, 50), title="Robe")
    await task(room, here, exact=True, at=time(10), title="Fleurs")
    await nobody_works_until(room, time(12))

    await schedulers().step()

    told = {each.variables["task"]: each.exact for each in await room.notices()}
    assert told == {"Robe": True, "Fleurs": False}
