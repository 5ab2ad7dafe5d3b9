"""Looking whether what waits is what is planned; on each database."""

import uuid
from datetime import date, time

import pytest
import sqlalchemy as sa

from reminders.adapters.sql_comparing import SqlPlanStore
from reminders.drift_watch import DriftWatch
from reminders.types import CalendarLead, FromEvent, Offset
from tests.support.factories_reminders import AMINA, user
from tests.support.metrics import value_of


@pytest.fixture
def watch(database, anywhere, metrics):
    return DriftWatch(
        store=SqlPlanStore(database),
        almanac=anywhere.almanac,
        clock=anywhere.clock,
        metrics=metrics,
    )


async def a_plan(room):
    sheet = await room.events.create(
        user(AMINA), title="زفاف", zone="Africa/Algiers", day=date(2026, 3, 20), at=None
    )
    event_id = sheet.event.id
    due = FromEvent(Offset(days=-1))
    task = await room.tasks.create(user(AMINA), event_id, title="القاعة", due=due)
    for days in (0, 3, 9):
        await room.rules.put(
            user(AMINA), event_id, rule_id=uuid.uuid4(), task_id=task.id, user_id=None,
            lead=CalendarLead(Offset(days=days), time(9)), exact=True,
        )  # fmt: skip
    await room.planner.step()
    return event_id


async def drift(watch, metrics, rounds=3):
    for _ in range(rounds):
        await watch.step()
    return value_of(metrics, "reminders_reconcile_drift_total")


async def test_what_is_planned_agrees_before_and_after_some_of_it_went_off(
    anywhere, watch, metrics
):
    await a_plan(anywhere)
    await a_plan(anywhere)

    assert await drift(watch, metrics) == 0
    for _ in range(3):
        anywhere.clock.move(days=6)
        await anywhere.scheduler.step()
        await anywhere.planner.step()
        assert await drift(watch, metrics) == 0
    assert value_of(metrics, "reminders_plans_compared_total") >= 6


async def test_a_firing_that_is_lost_or_was_never_planned_is_found(
    anywhere, watch, metrics, database, caplog
):
    await a_plan(anywhere)
    async with database.transaction() as connection:
        last = sa.text("SELECT max(due_at) FROM firings")
        at = (await connection.execute(last)).scalar_one()
        await connection.execute(sa.text("DELETE FROM firings WHERE due_at = :at"), {"at": at})
        other = sa.text("UPDATE firings SET dedupe_key = :key WHERE due_at = (:at)")
        first = (await connection.execute(sa.text("SELECT min(due_at) FROM firings"))).scalar_one()
        await connection.execute(other, {"key": b"x" * 16, "at": first})

    # One is gone, and in place of another there is one that nobody planned.
    assert await drift(watch, metrics, rounds=2) == 3
    assert "plan drifted" in caplog.text


async def test_what_is_about_to_be_planned_is_no_drift(anywhere, watch, metrics):
    event_id = await a_plan(anywhere)
    await anywhere.moving.move(user(AMINA), event_id, day=date(2026, 3, 25), at=None)

    assert await drift(watch, metrics) == 0


async def test_a_cancelled_event_is_passed_over(anywhere, watch, metrics):
    event_id = await a_plan(anywhere)
    await anywhere.events.cancel(user(AMINA), event_id)

    assert await drift(watch, metrics) == 0
    assert value_of(metrics, "reminders_plans_compared_total") == 0
