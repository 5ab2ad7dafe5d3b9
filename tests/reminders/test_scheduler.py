"""From a rule to a notice, through planner, scheduler and outbox."""

import asyncio
import uuid
from datetime import UTC, date, datetime, time

import pytest
import sqlalchemy as sa

from kernel.errors import Denied
from kernel.identity import Scope
from kernel.workers import Stop
from reminders.adapters.mapping import FIRINGS, PEOPLE, TASKS
from reminders.errors import EventNotFound
from reminders.firing import FiringClass, Judgement, Look, Outcome
from reminders.person import Ramadan
from reminders.types import AtWall, CalendarLead, FromEvent, Offset, Priority, Role, TaskDetails
from tests.support.factories_reminders import (
    AMINA,
    BILAL,
    CELIA,
    day_before,
    server,
    user,
)
from tests.support.metrics import value_of
from tests.support.weddings import job, wedding


@pytest.fixture
def notices(anywhere):
    """The notices that went out, oldest first; looking takes them."""
    return anywhere.notices


async def test_a_rule_becomes_a_notice_at_its_minute_and_not_before(anywhere, notices):
    room = anywhere
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="ar-DZ")
    await job(room, await wedding(room))
    assert await room.planner.step() == 1

    room.clock.move(days=7, hours=23, minutes=58)
    assert await room.scheduler.step() == 0
    room.clock.move(minutes=1)
    assert await room.scheduler.step() == 1
    room.clock.move(seconds=59)
    assert await notices() == []
    room.clock.move(seconds=1)

    (notice,) = await notices()
    assert notice.user_ids == (AMINA,)
    assert notice.variables == {
        "task": "Confirmer la salle",
        "event": "زفاف أمينة",
        "when": "الثلاثاء 10 مارس",
    }
    assert await room.scheduler.step() == 0


async def test_what_a_race_planned_twice_goes_off_once_and_is_counted(
    anywhere, notices, database, metrics
):
    room = anywhere
    await job(room, await wedding(room))
    await room.planner.step()
    async with database.reading() as connection:
        waiting = (await connection.execute(sa.select(FIRINGS))).mappings().one()
    room.clock.move(days=8)
    await room.scheduler.step()
    async with database.transaction() as connection:
        await connection.execute(FIRINGS.insert(), {**waiting, "id": uuid.uuid4()})

    assert await room.scheduler.step() == 0

    assert len(await notices()) == 1
    kind = {"class": "exact_calendar"}
    assert value_of(metrics, "reminders_dedupe_conflicts_total", **kind) == 1


async def test_planner_and_scheduler_work_by_themselves(anywhere, notices):
    """As workers: a pulse wakes the planner, time wakes the scheduler."""
    room, stop = anywhere, Stop()
    async with asyncio.timeout(20), asyncio.TaskGroup() as workers:
        workers.create_task(room.planner.run(stop))
        workers.create_task(room.scheduler.run(stop))
        await room.clock.asleep(2)
        await job(room, await wedding(room))
        for _ in range(1000):
            if (await room.firings.upcoming(AMINA, cursor=None, limit=1)).items:
                break
            await asyncio.sleep(0.01)
        await room.clock.asleep(2)
        room.clock.move(days=8)
        await asyncio.wait_for(room.relaying.wait(), 10)
        stop.ask()

    assert len(await notices()) == 1


async def test_each_owner_is_told_on_their_own_clock(anywhere, notices):
    room = anywhere
    event_id = await wedding(room)
    await room.events.put_member(user(AMINA), event_id, user_id=CELIA, role=Role.OWNER)
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr")
    await room.people.put(user(CELIA), zone="America/Vancouver", locale="en")
    appointment = AtWall(date(2026, 3, 9), time(0, 30), "Europe/Paris")
    await job(room, event_id, appointment)
    await room.planner.step()

    told = []
    room.clock.move(days=5)
    for _ in range(72):
        room.clock.move(hours=1)
        await room.scheduler.step()
        told += [(n.user_ids[0], room.clock.now(), n.variables["when"]) for n in await notices()]

    # In Algiers the clocks show the same as in Paris, in Vancouver it is the afternoon before.
    assert [(who, f"{at:%d %H:%M}", when) for who, at, when in told] == [
        (CELIA, "07 17:00", "Monday 9 March at 00:30 (Paris)"),
        (AMINA, "08 08:00", "lundi 9 mars à 00:30"),
    ]


async def test_a_moved_event_is_spoken_of_at_its_new_time_only(anywhere, notices):
    room = anywhere
    event_id = await wedding(room)
    await job(room, event_id)
    await room.planner.step()

    await room.moving.move(user(AMINA), event_id, day=date(2026, 3, 12), at=None)
    room.clock.move(days=8)
    # The planner has not run: the scheduler itself sees that the firing is stale.
    assert await room.scheduler.step() == 1
    assert await notices() == []

    await room.planner.step()
    room.clock.move(days=2)
    assert await room.scheduler.step() == 1
    (notice,) = await notices()
    assert notice.variables["when"] == "Thursday 12 March"


@pytest.mark.parametrize("planned_again", [True, False])
@pytest.mark.parametrize("end", ["complete", "delete", "cancel"])
async def test_nobody_is_reminded_of_what_is_over(anywhere, notices, end, planned_again):
    room = anywhere
    event_id = await wedding(room)
    task = await job(room, event_id)
    await room.planner.step()
    if end == "cancel":
        await room.events.cancel(user(AMINA), event_id)
    else:
        await getattr(room.tasks, end)(user(AMINA), event_id, task.id)
    if planned_again:
        await room.planner.step()

    room.clock.move(days=8)

    assert await room.scheduler.step() == 0
    assert await notices() == []


async def test_a_reopened_task_gets_only_the_reminders_still_to_come(anywhere, notices):
    room = anywhere
    event_id = await wedding(room)
    task = await job(room, event_id)
    await room.rules.put(
        user(AMINA),
        event_id,
        rule_id=uuid.uuid4(),
        task_id=task.id,
        user_id=AMINA,
        lead=CalendarLead(Offset(days=3), time(9)),
        exact=True,
    )
    await room.tasks.complete(user(AMINA), event_id, task.id)
    await room.planner.step()

    room.clock.move(days=7)
    await room.tasks.reopen(user(AMINA), event_id, task.id)
    await room.planner.step()
    await room.scheduler.step()
    assert await notices() == []

    room.clock.move(days=1)
    await room.scheduler.step()
    assert len(await notices()) == 1


async def test_after_downtime_a_reminder_comes_late_while_it_helps_and_then_never(
    anywhere, notices, metrics
):
    room = anywhere
    event_id = await wedding(room)
    await job(room, event_id)
    later = await job(room, event_id, FromEvent(Offset(days=-3)))
    await room.planner.step()

    room.clock.move(days=9, hours=3)
    assert await room.scheduler.step() == 2

    (notice,) = await notices()
    assert notice.variables["when"] == "Tuesday 10 March"
    (missed,) = await room.firings.settled(later.id, AMINA)
    assert (missed.outcome, missed.reason) == ("expired", "no longer useful")
    labels = {"class": "exact_calendar"}
    fired, expired = {"outcome": "fired", "reason": ""}, {"outcome": "expired", "reason": "useless"}
    assert value_of(metrics, "reminders_firings_total", **fired, **labels) == 1
    assert value_of(metrics, "reminders_firings_total", **expired, **labels) == 1
    assert value_of(metrics, "reminders_lateness_seconds_sum", **labels) == 27 * 3600


@pytest.mark.parametrize("end", ["complete", "delete"])
async def test_what_ends_after_it_went_off_and_before_it_is_said_is_not_said(
    anywhere, notices, end
):
    room = anywhere
    event_id = await wedding(room)
    task = await job(room, event_id)
    await room.planner.step()
    room.clock.move(days=8)
    assert await room.scheduler.step() == 1

    await getattr(room.tasks, end)(user(AMINA), event_id, task.id)

    assert await notices() == []
    (settled,) = await room.firings.settled(task.id, AMINA)
    assert settled.outcome in ("done", "gone")


async def test_what_moves_after_it_went_off_and_before_it_is_said_is_said_at_its_new_time(
    anywhere, notices
):
    room = anywhere
    event_id = await wedding(room)
    await job(room, event_id)
    await room.planner.step()
    room.clock.move(days=8)
    assert await room.scheduler.step() == 1

    await room.moving.move(user(AMINA), event_id, day=date(2026, 3, 12), at=None)
    assert await notices() == []

    await room.planner.step()
    room.clock.move(days=2)
    assert await room.scheduler.step() == 1
    (notice,) = await notices()
    assert notice.variables["when"] == "Thursday 12 March"


async def test_who_muted_reminders_hears_none(anywhere, notices):
    room = anywhere
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr", muted=True)
    await job(room, await wedding(room))
    await room.planner.step()

    room.clock.move(days=8)

    assert await room.scheduler.step() == 1
    assert await notices() == []


async def test_the_product_speaks_of_tasks_that_ask_for_it(anywhere, notices):
    """Its rules are not stored, and still hold when the firing is due."""
    room = anywhere
    event_id = await wedding(room, date(2026, 4, 10))
    opens = FromEvent(Offset(days=-20))
    await room.tasks.create(
        user(AMINA),
        event_id,
        title="Certificat médical",
        due=FromEvent(Offset(days=-5)),
        details=TaskDetails(priority=Priority.KEY, usual=True, opens=opens),
    )
    await room.planner.step()

    told = []
    room.clock.move(hours=3)
    for _ in range(40):
        room.clock.move(days=1)
        await room.planner.step()
        await room.scheduler.step()
        told += [(room.clock.now().date(), len(await notices()))]

    # When it is overdue it is said on the first and third day after, and so on.
    # On the day from which it can be done there is Eid: it is said on the day after.
    days = [f"{day:%m-%d}" for day, count in told if count]
    assert days == ["03-06", "03-22", "03-29", "04-04", "04-06", "04-08"]


async def test_what_ramadan_defers_is_said_later_and_once(anywhere, notices):
    room = anywhere
    event_id = await wedding(room)
    task = await job(room, event_id, lead=CalendarLead(Offset(days=1), time(9)), exact=False)
    room.almanac.known = [Ramadan(1447, date(2026, 1, 1), date(2026, 1, 29))]
    await room.planner.step()
    room.almanac.known = [Ramadan(1447, date(2026, 2, 19), date(2026, 3, 19))]
    room.clock.move(days=8, minutes=5)

    # Planned before anybody knew: at nine people are asleep.
    assert await room.scheduler.step() == 1
    assert await room.scheduler.step() == 0
    assert await notices() == []

    room.clock.move(hours=1, minutes=30)
    assert await room.scheduler.step() == 1
    assert len(await notices()) == 1
    assert len(await room.firings.settled(task.id, AMINA)) == 1


async def test_what_is_handed_over_ahead_is_judged_as_of_when_it_would_be_said(anywhere):
    """Amina hears of policy a minute and a half after its time: here as people eat already."""
    room = anywhere
    room.almanac.known = [Ramadan(1447, date(2026, 1, 1), date(2026, 1, 29))]
    lead = CalendarLead(Offset(days=1), time(17, 59))
    task = await job(room, await wedding(room), lead=lead, exact=False)
    await room.planner.step()
    room.almanac.known = [Ramadan(1447, date(2026, 2, 19), date(2026, 3, 19))]
    room.clock.move(days=8, hours=8, minutes=59, seconds=50)

    assert await room.scheduler.step() == 1

    assert await room.firings.settled(task.id, AMINA) == []
    (waiting,) = (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items
    assert waiting.due_at >= datetime(2026, 3, 9, 19, 30, tzinfo=UTC)


async def test_what_is_looked_at_closely_ahead_is_not_said_before_its_time(anywhere, notices):
    """Within the minute that is looked ahead people begin to eat; at twenty to six they do not."""
    room = anywhere
    room.almanac.known = [Ramadan(1447, date(2026, 2, 19), date(2026, 3, 19))]
    lead = CalendarLead(Offset(days=1), time(17, 58))
    await job(room, await wedding(room), lead=lead, exact=False)
    await room.planner.step()
    room.clock.move(days=8, hours=8, minutes=59, seconds=20)

    assert await room.scheduler.step() == 1
    assert await notices() == []

    room.clock.move(seconds=11)
    assert len(await notices()) == 1


async def test_what_is_paused_waits_and_is_told_when_it_is_resumed(anywhere, notices):
    room = anywhere
    await job(room, await wedding(room))
    await job(room, await wedding(room), lead=CalendarLead(Offset(days=7), time(9)), exact=False)
    await room.planner.step()
    await room.operating.pause(server(), FiringClass.EXACT_CALENDAR)
    await room.operating.pause(server(), FiringClass.EXACT_CALENDAR)

    room.clock.move(days=8, minutes=20)
    await room.scheduler.step()
    assert await notices() == []
    assert list(await room.operating.paused(server())) == [FiringClass.EXACT_CALENDAR]

    await room.operating.resume(server(), FiringClass.EXACT_CALENDAR)
    await room.operating.resume(server(), FiringClass.EXACT_CALENDAR)
    assert await room.scheduler.step() == 1
    assert len(await notices()) == 1


async def test_a_plan_can_be_made_again_and_changes_nothing(anywhere):
    room = anywhere
    event_id = await wedding(room)
    await job(room, event_id)
    await room.planner.step()
    before = await room.firings.upcoming(AMINA, cursor=None, limit=9)

    await room.operating.replan(server(), event_id)

    assert await room.planner.step() == 1
    assert await room.firings.upcoming(AMINA, cursor=None, limit=9) == before
    with pytest.raises(EventNotFound):
        await room.operating.replan(server(), uuid.uuid4())


async def test_only_operators_pause_and_replan(room):
    asked = [
        room.operating.paused(user(AMINA)),
        room.operating.pause(user(AMINA), FiringClass.NAG),
        room.operating.resume(server(Scope.USERS), FiringClass.NAG),
        room.operating.replan(user(AMINA), uuid.uuid4()),
    ]

    for each in asked:
        with pytest.raises(Denied):
            await each


async def test_three_reminders_of_an_event_in_one_minute_are_one_notice(anywhere, notices):
    room = anywhere
    event_id = await wedding(room)
    for _ in range(3):
        await job(room, event_id)
    await job(room, await wedding(room))
    await room.planner.step()
    room.clock.move(days=8)

    assert await room.scheduler.step() == 4

    one, other = sorted(await notices(), key=lambda notice: notice.template)
    assert one.variables["task"] == "Confirmer la salle"
    assert (other.data["count"], other.template) == ("3", "task.reminders")
    assert other.variables["event"] == "زفاف أمينة"
    lines = other.variables["lines"].splitlines()
    assert lines == ["\u2068Confirmer la salle\u2069 · Tuesday 10 March"] * 3


async def test_after_downtime_what_came_too_late_is_told_in_one(anywhere, notices, metrics):
    room = anywhere
    for day in range(10, 17):
        event_id = await wedding(room, date(2026, 4, day))
        lead = CalendarLead(Offset(days=30), time(11, 30))
        await job(room, event_id, lead=lead, exact=False)
    await room.planner.step()
    room.clock.move(days=17, hours=4)

    assert await room.scheduler.step() == 7

    (notice,) = await notices()
    assert notice.template == "task.missed"
    assert (notice.data["count"], notice.variables["lines"].splitlines()[-1]) == ("7", "+2")
    labels = {"class": "policy_far", "outcome": "folded", "reason": "late"}
    assert value_of(metrics, "reminders_firings_total", **labels) == 7


async def test_one_poisoned_firing_does_not_hold_back_its_neighbours(
    anywhere, notices, database, caplog
):
    room = anywhere
    event_id = await wedding(room)
    bad = await job(room, event_id, AtWall(date(2026, 3, 10), time(10), "Africa/Algiers"))
    await job(room, event_id)
    await room.planner.step()
    async with database.transaction() as connection:
        spoil = TASKS.update().where(TASKS.c.id == bad.id).values(due_zone="Africa/Atlantis")
        await connection.execute(spoil)

    room.clock.move(days=8)

    assert await room.scheduler.step() == 2
    assert len(await notices()) == 1
    (dead,) = await room.firings.settled(bad.id, AMINA)
    assert dead.outcome == "dead"
    assert "Africa/Atlantis" in dead.reason
    assert "firing failed" in caplog.text


async def test_one_that_cannot_be_read_does_not_hold_back_its_neighbours(anywhere, database):
    room = anywhere
    event_id = await wedding(room)
    bad, _ = await job(room, event_id), await job(room, event_id)
    await room.planner.step()
    unreadable = TASKS.update().where(TASKS.c.id == bad.id)
    async with database.transaction() as connection:
        await connection.execute(unreadable.values(details='{"priority": "of a later release"}'))
    room.clock.move(days=9)
    look, now = Look(room.clock.now()), room.clock.now()

    (shard,) = await room.firings.due_shards(look)
    tallies = await room.firings.fire_due(
        shard,
        lambda _: Judgement(Outcome.FIRED),
        lambda *_: False,
        look=look,
        now=now,
        limit=9,
    )

    assert {each.outcome for each in tallies} == {Outcome.FIRED, Outcome.DEAD}


async def test_one_user_who_cannot_be_read_does_not_hold_back_the_others(
    anywhere, notices, database
):
    room = anywhere
    event_id = await wedding(room)
    await room.people.put(user(BILAL), zone="Africa/Algiers", locale="fr-DZ")
    await room.events.put_member(user(AMINA), event_id, user_id=BILAL, role=Role.OWNER)
    await job(room, event_id)
    await room.planner.step()
    async with database.transaction() as connection:
        await connection.execute(PEOPLE.update().values(fasting="later"))
    room.clock.move(days=9)

    while await room.scheduler.step():
        pass

    assert [each.user_ids for each in await notices()] == [(AMINA,)]


async def test_who_leaves_is_not_told_any_more(anywhere, notices):
    room = anywhere
    event_id = await wedding(room)
    await room.events.put_member(user(AMINA), event_id, user_id=BILAL, role=Role.COLLABORATOR)
    task = await room.tasks.create(
        user(BILAL), event_id, title="Fleurs", due=FromEvent(Offset()), assignee_id=BILAL
    )
    await room.rules.put(
        user(BILAL),
        event_id,
        rule_id=uuid.uuid4(),
        task_id=task.id,
        user_id=BILAL,
        lead=day_before(),
        exact=True,
    )
    await room.planner.step()
    await room.events.remove_member(user(BILAL), event_id, user_id=BILAL)

    room.clock.move(days=8)
    await room.scheduler.step()

    assert await notices() == []
