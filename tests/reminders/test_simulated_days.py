"""Weeks of a busy user, against what may never happen: too many pushes, silence, a word twice.

The outbox and the log are judged by themselves; nothing here asks the code what it meant.
"""

import os
import random
from base64 import b32decode
from collections import Counter
from datetime import date, time, timedelta

import pytest
import sqlalchemy as sa

from reminders.adapters.mapping import FIRINGS, LOG
from reminders.adapters.sql_digests import ITEMS, TURNS
from reminders.types import AtWall, FromEvent, Offset, OnDay, Payment, Priority, Role, TaskDetails
from tests.support.factories_reminders import AMINA, BILAL, user
from tests.support.histories import clocks

ALGIERS = "Africa/Algiers"
BUSY = 3
SEEDS = range(1, 51) if "ZAFFA_TEST_SOAK_SECONDS" in os.environ else (BUSY,)
POLICY = ("policy_far", "policy_near", "nag")
LATEST = time(21, 30)
EARLIEST = time(8, 30)


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_day_has_more_than_three_and_what_was_folded_is_told(room, sqlite_database, seed):
    dice = random.Random(seed)
    room.clock.move(days=30)
    await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ")
    events = []
    for number in range(4):
        sheet = await room.events.create(
            user(AMINA),
            title=f"Fête {number}",
            zone=ALGIERS,
            day=date(2026, 5, 5) + timedelta(days=number),
            at=time(19),
            usual=True,
        )
        events.append(sheet.event.id)
        await room.events.put_member(user(AMINA), events[-1], user_id=BILAL, role=Role.OWNER)
    tasks, done = [], set()
    heard = []
    end = room.clock.now() + timedelta(days=10)
    while room.clock.now() < end:
        today = room.clock.now().date()
        for _ in range(dice.randint(3, 8)):
            here = dice.choice(events)
            due = dice.choice(
                [
                    OnDay(today + timedelta(days=dice.randint(-3, 12))),
                    AtWall(today + timedelta(days=dice.randint(1, 9)), time(15), ALGIERS),
                    FromEvent(Offset(days=-dice.randint(1, 20))),
                ]
            )
            details = TaskDetails(
                priority=dice.choice(list(Priority)),
                usual=True,
                payment=Payment(100, "DZD") if dice.random() < 0.1 else None,
            )
            made = await room.tasks.create(
                user(AMINA), here, title="Salle", due=due, details=details
            )
            tasks.append((here, made.id))
        for here, key in dice.sample(tasks, min(len(tasks), 2)):
            await room.tasks.complete(user(AMINA), here, key)
            done.add(key)
        if dice.random() < 0.2:
            here = dice.choice(events)
            day = today + timedelta(days=dice.randint(3, 30))
            await room.moving.move(user(AMINA), here, day=day, at=time(19))
        if dice.random() < 0.1:
            room.clock.move(hours=dice.randint(10, 30))
        heard += await _through(room, sqlite_database, room.clock.now() + timedelta(days=1))

    async with sqlite_database.reading() as connection:
        log = list(await connection.execute(sa.select(LOG).where(LOG.c.user_id == AMINA)))
        items = list(await connection.execute(sa.select(ITEMS).where(ITEMS.c.user_id == AMINA)))
    classes = {each.dedupe_key: each.firing_class for each in log}
    told = [(at, notice) for at, notice in heard if notice.user_ids == (AMINA,)]
    keys = [notice.dedupe_key for _, notice in told]
    assert len(keys) == len(set(keys))
    pushes = Counter(
        at.astimezone(clocks(ALGIERS)).date()
        for at, notice in told
        if _class_of(notice, classes) in POLICY
    )
    assert pushes
    assert max(pushes.values()) <= 3
    for at, notice in told:
        if _class_of(notice, classes) in POLICY or "digest" in notice.template:
            assert EARLIEST <= at.astimezone(clocks(ALGIERS)).time() <= LATEST
    mornings = Counter(n.data["digest_on"] for _, n in told if n.category == "digests")
    assert set(mornings.values()) == {1}
    # What waits longer than a day and a half was never told.
    waiting = [each for each in items if each.told_at is None]
    assert all(each.folded_at > end - timedelta(days=2) for each in waiting)
    assert {each.dedupe_key for each in items} <= {
        each.dedupe_key for each in log if each.outcome == "folded"
    }
    # Of fifty users some are hardly busy; the one of the short form is.
    if seed == BUSY:
        assert max(pushes.values()) == 3
        assert len(items) > len(waiting)


def _class_of(notice, classes):
    firing = notice.data.get("firing", "")
    if len(firing) != 26:
        return ""
    return classes.get(b32decode(firing.upper() + "======"), "")


async def _through(room, database, until):
    """Everything that is said on the way, and when: from one due instant to the next."""
    heard = []
    while True:
        await room.planner.step()
        await room.scheduler.step()
        await room.digester.step()
        heard += [(room.clock.now(), notice) for notice in await room.notices()]
        async with database.reading() as connection:
            at = [
                (await connection.execute(sa.select(sa.func.min(column)))).scalar_one()
                for column in (FIRINGS.c.due_at, TURNS.c.due_at)
            ]
        now = room.clock.now()
        coming = [each for each in at if each is not None and each > now]
        following = min([*coming, until])
        if following >= until:
            room.clock.move(seconds=(until - now).total_seconds())
            return heard
        room.clock.move(seconds=(following - now).total_seconds())
