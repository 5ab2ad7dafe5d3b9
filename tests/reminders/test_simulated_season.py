"""A season of changes of mind, journeys and outages, against a model that knows none of our code.

The model asks the clocks of a zone what they show, minute by minute, and replays what was
done: each reminder once, none lost, none before its time, none about what is over.
"""

import os
import random
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import pytest

from reminders.types import CalendarLead, Offset, OnDay
from tests.support.factories_reminders import AMINA, user
from tests.support.histories import shown_at

EVENING = time(18)
ZONES = ("Africa/Algiers", "Europe/Paris", "America/Vancouver", "Asia/Kathmandu", "Africa/Cairo")
SEEDS = range(1, 101) if "ZAFFA_TEST_SOAK_SECONDS" in os.environ else (2,)


@dataclass
class Model:
    """What should be told: (task, day) pairs, each settled once for ever."""

    zone: str
    dues: dict[uuid.UUID, date] = field(default_factory=dict)
    since: dict[uuid.UUID, datetime] = field(default_factory=dict)
    done: set[uuid.UUID] = field(default_factory=set)
    settled: set[tuple[uuid.UUID, date]] = field(default_factory=set)

    def instant(self, task: uuid.UUID) -> datetime:
        """The evening before the task's day, where Amina is."""
        eve = self.dues[task] - timedelta(days=1)
        return shown_at(datetime.combine(eve, EVENING), self.zone)

    def waiting(self) -> list[uuid.UUID]:
        return [
            task
            for task, day in self.dues.items()
            if task not in self.done
            and (task, day) not in self.settled
            and self.instant(task) >= self.since[task]
        ]

    def next(self, now: datetime) -> datetime | None:
        """When the next reminder comes after `now`."""
        return min(
            (at for task in self.waiting() if (at := self.instant(task)) > now), default=None
        )

    def step(self, now: datetime) -> set[uuid.UUID]:
        """What is told when everything that is due by now is looked at."""
        told: set[uuid.UUID] = set()
        for task in self.waiting():
            if self.instant(task) <= now:
                day = self.dues[task]
                over = shown_at(datetime.combine(day + timedelta(days=1), time()), self.zone)
                self.settled.add((task, day))
                if now < over:
                    told.add(task)
        return told


@pytest.mark.parametrize("seed", SEEDS)
async def test_each_reminder_comes_once_at_its_time_whatever_happens(room, sqlite_database, seed):
    dice = random.Random(seed)
    model = Model(ZONES[0])
    sheet = await room.events.create(user(AMINA), title="Mariage", zone=ZONES[0], day=None, at=None)
    here = user(AMINA), sheet.event.id
    await room.people.put(user(AMINA), zone=ZONES[0], locale="fr-DZ")
    await room.rules.put(
        *here,
        rule_id=uuid.uuid4(),
        task_id=None,
        user_id=None,
        lead=CalendarLead(Offset(days=1), EVENING),
        exact=True,
    )

    def soon() -> date:
        return (room.clock.now() + timedelta(days=dice.randint(0, 20))).date()

    async def told() -> set[uuid.UUID]:
        await room.planner.step()
        await room.scheduler.step()
        # Three of a minute are one notice; the log says which they were.
        said = [notice.data for notice in await room.notices()]
        found = [uuid.UUID(data["task_id"]) for data in said if "task_id" in data]
        assert len(found) == len(set(found))
        return set(found)

    for _ in range(60):
        act = dice.choice(["new", "new", "move", "done", "reopen", "travel", "wait", "outage"])
        open_tasks = sorted(set(model.dues) - model.done)
        now = room.clock.now()
        if act == "new":
            day = soon()
            task = await room.tasks.create(*here, title="Salle", due=OnDay(day))
            model.dues[task.id], model.since[task.id] = day, now
        elif act == "move" and open_tasks:
            key, day = dice.choice(open_tasks), soon()
            if model.dues[key] != day:
                await room.tasks.update(*here, key, title="Salle", due=OnDay(day), assignee_id=None)
                model.dues[key], model.since[key] = day, now
        elif act == "done" and open_tasks:
            key = dice.choice(open_tasks)
            await room.tasks.complete(*here, key)
            model.done.add(key)
        elif act == "reopen" and model.done:
            key = dice.choice(sorted(model.done))
            await room.tasks.reopen(*here, key)
            model.done.discard(key)
            model.since[key] = now
        elif act == "travel":
            model.zone = dice.choice(ZONES)
            await room.people.report_zone(user(AMINA), zone=model.zone, confirmed=True)
        elif act == "outage":
            room.clock.move(hours=dice.randint(20, 70))
        until = room.clock.now() + timedelta(hours=dice.randint(1, 40))
        for _ in range(50):
            expected = model.step(room.clock.now())
            heard = await told()
            assert heard == expected if len(expected) < 3 else heard <= expected
            at = model.next(room.clock.now())
            if at is None or at > until:
                break
            room.clock.move(seconds=(at - room.clock.now()).total_seconds() - 1)
            assert await told() == set()
            room.clock.move(seconds=1)
        room.clock.move(seconds=(until - room.clock.now()).total_seconds())
    assert len(model.settled) > 5
