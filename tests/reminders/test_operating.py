"""What operators do to reminders is recorded with it; and what they see coming."""

import uuid
from datetime import UTC, date, datetime, time, timedelta

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from notifications.adapters.sql_audit import SqlAudit
from notifications.audit.types import AuditQuery
from reminders.adapters.mapping import TASKS
from reminders.errors import EventNotFound
from reminders.firing import FiringClass
from reminders.oversight import Minute
from reminders.placing import LONGEST_SPREAD, USUAL_SPREAD, jitter_of
from reminders.types import AtWall, CalendarLead, ElapsedLead, Offset
from server.cli.reminder_lines import forecast_lines
from tests.support.factories_reminders import AMINA, server, user
from tests.support.metrics import value_of
from tests.support.weddings import job, wedding

FAR = FiringClass.POLICY_FAR
USUALLY, LONGER = (jitter_of(AMINA, each) for each in (USUAL_SPREAD, LONGEST_SPREAD))


async def deeds(database):
    """The last one first."""
    found = await SqlAudit(database).page(AuditQuery(), before=None, limit=20)
    return [(each.deed.action, each.deed.subject, each.deed.actor) for each in found]


async def reminded(room, *walls):
    """Amina is reminded at these times of the wall in Algiers on 10 March."""
    sheet = await room.events.create(
        user(AMINA), title="زفاف", zone="Africa/Algiers", day=date(2026, 3, 10), at=None
    )
    event_id = sheet.event.id
    for at in walls:
        due = AtWall(date(2026, 3, 10), at, "Africa/Algiers")
        task = await room.tasks.create(user(AMINA), event_id, title="القاعة", due=due)
        await room.rules.put(
            user(AMINA), event_id, rule_id=uuid.uuid4(), task_id=task.id, user_id=None,
            lead=ElapsedLead(timedelta(hours=1)), exact=True,
        )  # fmt: skip
    await room.planner.step()
    return event_id


async def test_each_deed_is_in_the_audit_trail_once(anywhere, database):
    event_id = await reminded(anywhere)
    by = f"key:{server().key_id}"

    for act, *about in (
        (anywhere.operating.pause, FAR),
        (anywhere.operating.pause, FAR),
        (anywhere.operating.resume, FAR),
        (anywhere.operating.resume, FAR),
        (anywhere.operating.replan, event_id),
        (anywhere.operating.replan_all,),
    ):
        await act(server(), *about)
        anywhere.clock.move(seconds=1)

    assert await deeds(database) == [
        ("reminders.replanned", "reminders:all", by),
        ("event.replanned", f"event:{event_id}", by),
        ("reminders.resumed", "reminders:policy_far", by),
        ("reminders.paused", "reminders:policy_far", by),
    ]


async def test_what_was_not_done_is_not_recorded(anywhere, database):
    with pytest.raises(EventNotFound):
        await anywhere.operating.replan(server(), uuid.uuid4())

    assert await deeds(database) == []


async def test_every_plan_is_made_again_and_one_can_see_how_far_it_is(anywhere):
    await reminded(anywhere, time(9))
    cancelled = await reminded(anywhere)
    await anywhere.events.cancel(user(AMINA), cancelled)
    await anywhere.planner.step()

    assert await anywhere.operating.replan_all(server()) == 1
    assert (await anywhere.operating.backlog(server())).marks == 1
    await anywhere.planner.step()
    assert (await anywhere.operating.backlog(server())).marks == 0


async def test_the_forecast_counts_each_minute_and_class(anywhere):
    await reminded(anywhere, time(9), time(9), time(10, 30), time(23))
    anywhere.clock.move(days=8, hours=13)
    await anywhere.operating.pause(server(), FAR)

    found, paused = await anywhere.operating.forecast(server(), hours=24)
    early, _ = await anywhere.operating.forecast(server(), hours=11)
    anywhere.clock.move(hours=10, minutes=30)
    late, _ = await anywhere.operating.forecast(server(), hours=24)

    kind = FiringClass.EXACT_ELAPSED
    assert found.minutes == [
        Minute(datetime(2026, 3, 10, 7, tzinfo=UTC), kind, 2),
        Minute(datetime(2026, 3, 10, 8, 30, tzinfo=UTC), kind, 1),
    ]
    assert (found.overdue, list(paused)) == (0, [FAR])
    assert len(early.minutes) == 1
    assert late.overdue == 2


@pytest.mark.parametrize("who", [user(AMINA), server(Scope.OPERATE)])
async def test_only_servers_of_reminders_may(room, who):
    for ask in (
        room.operating.replan_all(who),
        room.operating.backlog(who),
        room.operating.forecast(who, hours=1),
        room.operating.replan(who, uuid.uuid4()),
        room.operating.pause(who, FAR),
        room.operating.resume(who, FAR),
        room.operating.paused(who),
        room.operating.spread(who),
        room.operating.put_spread(who, 600),
    ):
        with pytest.raises(Denied):
            await ask


async def test_policy_is_spread_over_longer_at_once_and_nothing_else_is(anywhere, database):
    about = await wedding(anywhere)
    await job(anywhere, about, lead=CalendarLead(Offset(days=1), time(9)), exact=True)
    await job(anywhere, about, lead=CalendarLead(Offset(days=2), time(9)), exact=False)
    await anywhere.planner.step()
    before = await upcoming(anywhere)

    assert await anywhere.operating.put_spread(server(), 3600) == 1
    await anywhere.planner.step()

    after = await upcoming(anywhere)
    assert after[FAR] - before[FAR] == LONGER - USUALLY
    assert after[FiringClass.EXACT_CALENDAR] == before[FiringClass.EXACT_CALENDAR]
    assert await anywhere.operating.spread(server()) == timedelta(hours=1)
    assert (await deeds(database))[0][:2] == ("reminders.spread", "reminders:3600")


async def upcoming(room):
    found = (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items
    return {each.firing_class: each.due_at for each in found}


@pytest.mark.parametrize("seconds", [0, 239, 3601, 10**15])
async def test_it_is_spread_over_no_less_than_usual_and_no_more_than_an_hour(room, seconds):
    with pytest.raises(InvalidInput):
        await room.operating.put_spread(server(), seconds)


def test_the_forecast_is_told_by_hour_with_its_peak_and_by_class():
    minutes = [
        {"at": "2026-03-10T08:00:00Z", "firing_class": "policy_near", "firings": 400},
        {"at": "2026-03-10T08:01:00Z", "firing_class": "policy_near", "firings": 500},
        {"at": "2026-03-10T08:01:00Z", "firing_class": "nag", "firings": 7},
        {"at": "2026-03-10T17:00:00Z", "firing_class": "nag", "firings": 1},
    ]
    found = {"minutes": minutes, "overdue": 3, "paused": ["nag"]}

    lines = [" ".join(line.split()) for line in forecast_lines(found, minutes=False)]

    assert lines == [
        "2026-03-10T08:00Z 907 busiest minute 08:01: 507",
        "2026-03-10T17:00Z 1 busiest minute 17:00: 1",
        "908 in all: 900 policy_near, 8 nag",
        "3 are due already; paused: nag",
    ]
    assert len(list(forecast_lines(found, minutes=True))) == 5


async def test_operators_can_see_how_far_plans_reach_and_what_claims_cost(room, metrics):
    await reminded(room, time(9))
    room.clock.move(days=8, hours=23)
    await room.planner.step()
    await room.scheduler.step()

    shown = metrics.exposition().decode()
    assert "reminders_horizon_lag_seconds 0.0" in shown
    assert "reminders_claim_firings_count 1.0" in shown
    assert 'reminders_zone_data_info{version="20' in shown
    assert value_of(metrics, "reminders_claim_seconds_count") == 1


async def test_what_died_is_listed_and_goes_off_once_it_can(anywhere, database):
    room = anywhere
    event_id = await reminded(room, time(11))
    (waiting,) = (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items
    by_id = TASKS.update().where(TASKS.c.id == waiting.task_id)
    room.clock.move(days=8, hours=23)
    async with database.transaction() as connection:
        await connection.execute(by_id.values(due_zone="Africa/Atlantis"))
    room.clock.move(hours=2)
    await room.scheduler.step()
    await room.notices()

    (dead,) = await room.operating.dead(server())
    async with database.transaction() as connection:
        await connection.execute(by_id.values(due_zone="Africa/Algiers"))
    revived = await room.operating.revive(server(), event_id)
    await room.planner.step()
    await room.scheduler.step()

    assert (dead.event_id, dead.user_id) == (event_id, AMINA)
    assert "Atlantis" in dead.reason
    assert revived == 1
    assert [each.template for each in await room.notices()] == ["task.reminder"]
    assert await room.operating.dead(server()) == []
    assert (await deeds(database))[0][:2] == ("event.revived", f"event:{event_id}")
    # What went off is not dead: nobody is told of it again.
    assert await room.operating.revive(server(), event_id) == 0
    assert await room.planner.step() == 0


@pytest.mark.parametrize("who", [user(AMINA), server(Scope.USERS)])
async def test_only_servers_that_look_after_reminders_see_and_revive_the_dead(room, who):
    for asked in (room.operating.dead(who), room.operating.revive(who, uuid.uuid4())):
        with pytest.raises(Denied):
            await asked
