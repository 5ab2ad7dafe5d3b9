"""Nobody worked for half an hour, or for three days: what becomes of a firing of each class."""

import uuid
from datetime import date, time, timedelta

import pytest
import sqlalchemy as sa

from reminders.adapters.mapping import FIRINGS, LOG
from reminders.adapters.sql_digests import ITEMS, TURNS
from reminders.days import MAIN
from reminders.firing import FiringClass
from reminders.identity import notice_key
from reminders.types import (
    AtWall,
    CalendarLead,
    ElapsedLead,
    Offset,
    OnDay,
    Payment,
    Priority,
    Role,
    TaskDetails,
)
from tests.support.factories_reminders import AMINA, BILAL, CELIA, user

ALGIERS = "Africa/Algiers"
TUESDAY = date(2026, 4, 7)
"""After Ramadan, on no weekend."""
NINE = time(9)


async def wedding(room, *, day=date(2026, 7, 10), usual=False):
    """Amina's; the third of April has come."""
    room.clock.move(days=33)
    await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ")
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone=ALGIERS, day=day, at=time(19), usual=usual
    )
    return user(AMINA), sheet.event.id


def ruled(lead, due, *, exact=False, **details):
    """A task with one rule."""

    async def prepare(room):
        here = await wedding(room)
        task = await room.tasks.create(
            *here, title="Salle", due=due, details=TaskDetails(**details)
        )
        await room.rules.put(
            *here, rule_id=uuid.uuid4(), task_id=task.id, user_id=None, lead=lead, exact=exact
        )

    return prepare


def before(days):
    return CalendarLead(Offset(days=days), NINE)


def on(days):
    """A day so long after Tuesday."""
    return OnDay(TUESDAY + timedelta(days=days))


def overdue(**details):
    async def prepare(room):
        here = await wedding(room)
        details_of = TaskDetails(usual=True, **details)
        await room.tasks.create(*here, title="Salle", due=on(-1), details=details_of)

    return prepare


async def the_day_itself(room):
    await wedding(room, day=TUESDAY, usual=True)


async def a_move(room):
    here = await wedding(room)
    await room.events.put_member(*here, user_id=BILAL, role=Role.OWNER)
    await room.moving.move(*here, day=date(2026, 8, 10), at=time(19))


def a_guest(days):
    """Somebody who is asked twice, and the second time so many days before answers are due."""

    async def prepare(room):
        here = await wedding(room)
        day = TUESDAY + timedelta(days=days)
        await room.guests.put_deadline(*here, part=MAIN, day=day, days=None)
        await room.guests.invite(*here, user_id=CELIA, part=MAIN)

    return prepare


HALF_AN_HOUR, THREE_DAYS = timedelta(minutes=30), timedelta(days=3)
PAID = Payment(5_000_000, "DZD")
APPOINTMENT = AtWall(TUESDAY, time(15), ALGIERS)

TOLD, FOLDED, NEVER = ("fired", True), ("folded", False), ("expired", False)
"""What is recorded, and whether it is told by itself; what is folded is in the next digest."""


@pytest.mark.parametrize(
    ("firing_class", "prepare", "soon", "days_later"),
    [
        (
            "exact_elapsed",
            ruled(ElapsedLead(timedelta(hours=1)), APPOINTMENT, exact=True),
            TOLD,
            NEVER,
        ),
        ("exact_calendar", ruled(before(1), on(1), exact=True), TOLD, NEVER),
        ("exact_calendar", ruled(before(7), on(7), exact=True), TOLD, TOLD),
        ("policy_far", ruled(before(7), on(7)), TOLD, FOLDED),
        ("policy_far", ruled(before(2), on(2)), TOLD, NEVER),
        ("policy_near", ruled(before(1), on(1)), TOLD, NEVER),
        (
            "policy_low",
            ruled(before(7), on(7), priority=Priority.LOW),
            FOLDED,
            FOLDED,
        ),
        ("nag", overdue(), TOLD, NEVER),
        ("payment", ruled(before(2), on(2), payment=PAID), TOLD, FOLDED),
        ("payment_late", overdue(payment=PAID), TOLD, FOLDED),
        ("event", a_move, TOLD, NEVER),
        ("event_day", the_day_itself, TOLD, NEVER),
        ("guest", a_guest(2), TOLD, NEVER),
        ("guest", a_guest(7), TOLD, TOLD),
    ],
)
@pytest.mark.parametrize("downtime", [HALF_AN_HOUR, THREE_DAYS])
async def test_what_is_late_is_told_or_folded_or_over_and_always_recorded(
    room, sqlite_database, firing_class, prepare, soon, days_later, downtime
):
    await prepare(room)
    await room.planner.step()
    first = (
        sa.select(FIRINGS.c.due_at, FIRINGS.c.dedupe_key)
        .where(FIRINGS.c.firing_class == firing_class)
        .order_by(FIRINGS.c.due_at)
    )
    async with sqlite_database.reading() as connection:
        due_at, key = (await connection.execute(first)).first()
    # What is handed over ahead is not late.
    await room.told_until(due_at - timedelta(minutes=2))

    room.clock.move(seconds=(due_at + downtime - room.clock.now()).total_seconds())
    notices = []
    for _ in range(5):
        await room.planner.step()
        await room.scheduler.step()
        notices += await room.notices()
        async with sqlite_database.reading() as connection:
            found = await connection.execute(sa.select(LOG).where(LOG.c.dedupe_key == key))
            items = set((await connection.execute(sa.select(ITEMS.c.dedupe_key))).scalars())
            if (row := found.one_or_none()) is not None:
                break
        # What waits for a morning waits for one at most.
        at = min(await room.coming())
        room.clock.move(seconds=(at - room.clock.now()).total_seconds())

    outcome, is_told = soon if downtime == HALF_AN_HOUR else days_later
    assert row.outcome == outcome
    assert (notice_key(key) in [each.dedupe_key for each in notices]) is is_told
    assert (key in items) is (outcome == "folded")
    assert outcome == "fired" or row.reason


@pytest.mark.parametrize("downtime", [HALF_AN_HOUR, THREE_DAYS])
async def test_of_digests_that_are_late_this_mornings_is_told_and_no_other(
    room, sqlite_database, downtime
):
    here = await wedding(room)
    for days in range(6):
        await room.tasks.create(*here, title="Salle", due=on(days))
    while room.clock.now().date() < TUESDAY:
        await room.digester.step()
        await room.notices()
        room.clock.move(hours=1)
    async with sqlite_database.reading() as connection:
        due_at = (await connection.execute(sa.select(sa.func.min(TURNS.c.due_at)))).scalar_one()

    room.clock.move(seconds=(due_at + downtime - room.clock.now()).total_seconds())
    for _ in range(5):
        await room.digester.step()

    told = [each for each in await room.notices() if each.category == "digests"]
    today = (due_at + downtime).date().isoformat()
    assert [each.data["digest_on"] for each in told] == [today]


def test_every_class_is_spoken_of_here():
    (marks,) = [
        mark
        for mark in test_what_is_late_is_told_or_folded_or_over_and_always_recorded.pytestmark
        if "prepare" in mark.args[0]
    ]
    assert {row[0] for row in marks.args[1]} | {"digest"} == {str(each) for each in FiringClass}
