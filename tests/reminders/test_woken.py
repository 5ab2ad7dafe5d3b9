"""A scheduler that sleeps in another process is woken for what is due sooner."""

import asyncio
import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.outbox_claims import OUTBOX
from kernel.adapters.redis_options import RedisOptions
from kernel.metrics import Metrics
from kernel.workers import Pulse, Stop
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.handed import REMINDER
from reminders.planner import Planner, PlannerOptions
from reminders.types import AtWall, ElapsedLead
from tests.support.factories_reminders import KnownDays, event, member, rule, task
from tests.support.killing import at_work
from tests.support.sleeping import Bedside, Sleeper

pytestmark = pytest.mark.external


@pytest.fixture(params=["postgresql", "redis"])
async def sleeper(request, postgres_database_url):
    redis = None
    if request.param == "redis":
        url = request.getfixturevalue("valkey_url")
        redis = RedisOptions(url=url, prefix=f"{uuid.uuid4().hex}:")
    return Sleeper(postgres_database_url, redis)


async def until_asleep(bedside, pipe):
    while not pipe.poll():
        bedside.waking.beyond("anybody?").beat()
        await asyncio.sleep(0.05)


async def handed_over(database):
    query = sa.select(sa.func.count()).where(OUTBOX.c.kind == REMINDER)
    async with database.reading() as connection:
        return (await connection.execute(query)).scalar_one()


async def plan_something_due_at_once(bedside):
    now = bedside.clock.now()
    party = event(zone="UTC")
    due = (now + timedelta(minutes=1, seconds=20)).replace(tzinfo=None)
    cake = task(party, AtWall(due.date(), due.time(), "UTC"))
    soon = rule(party, ElapsedLead(timedelta(minutes=1)))
    calendar = SqlCalendarStore(bedside.database)
    await calendar.create(party, None)
    await calendar.change(party.id, lambda _: [member(party), cake, soon], now=now)
    planner = Planner(
        store=SqlFiringStore(bedside.database),
        almanac=KnownDays(),
        clock=bedside.clock,
        metrics=Metrics(),
        options=PlannerOptions(),
        pulse=Pulse(),
        scheduling=bedside.waking.beyond("schedule"),
    )
    await planner.step()


async def test_what_one_process_plans_wakes_the_scheduler_of_another(sleeper):
    bedside, stop = Bedside(sleeper, "planner"), Stop()
    await bedside.open()
    killable = sleeper.killable()
    with at_work([killable]):
        waking = asyncio.create_task(bedside.waking.run(stop))
        await until_asleep(bedside, killable.ours)

        await plan_something_due_at_once(bedside)

        while not await handed_over(bedside.database):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        stop.ask()
        await waking
    await bedside.close()
