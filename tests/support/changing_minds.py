"""People who change their minds while workers die and rest, as a machine that Hypothesis drives."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from kernel.adapters.database import DatabaseOptions
from reminders.acting import Tap
from reminders.action import ActionKind, ActionOutcome
from reminders.firing import FiringClass
from reminders.person import Quiet, Ramadan
from reminders.types import FromEvent, Offset, OnDay, TaskDetails
from tests.support.clock import START
from tests.support.factories_reminders import AMINA, BILAL, user
from tests.support.fragile import Fragile
from tests.support.histories import Job
from tests.support.reliving import ALGIERS, Life
from tests.support.twins import in_any_order

ZONES = (ALGIERS, "Europe/Paris", "America/Vancouver", "Asia/Kathmandu", "Africa/Cairo")
RAMADAN = Ramadan(1447, date(2026, 2, 18), date(2026, 3, 19))
EVENING, OTHER_EVENING = time(18), time(20)
HANDED_OVER = timedelta(seconds=30)
PAUSABLE = [FiringClass.EXACT_CALENDAR, FiringClass.POLICY_NEAR, FiringClass.NAG]
HOURS = [None, (time(21), time(7)), (time(13), time(16))]

owners = st.sampled_from([AMINA, BILAL])
days = st.integers(0, 15)
hours = st.integers(1, 40)
which = st.integers(0, 99)


class Histories(RuleBasedStateMachine):
    """One event of two owners, its tasks, two schedulers, and time.

    Whatever has become of them, the same may be asked: Hypothesis wants to be given the same
    choices again, and ids are never the same.
    """

    runner: asyncio.Runner
    database: Fragile

    @initialize(day=st.integers(8, 40), dues=st.lists(days, min_size=4, max_size=8))
    def begin(self, day, dues):
        life = Life(self.database, RAMADAN)
        self.do(life.begin(START.date() + timedelta(days=day), EVENING))
        self.life = life
        for number, due in enumerate(dues):
            self.create(due, number % 3 == 0, number % 2 == 0, None)

    def do(self, doing):
        return self.runner.run(doing)

    @property
    def room(self):
        return self.life.room

    @property
    def book(self):
        return self.life.book

    def now(self):
        return self.life.clock.now()

    def one(self, which, *, done=False):
        """One of the tasks that are open, or of those that are done; None without any."""
        found = [key for key, job in self.book.jobs.items() if job.done is done]
        return found[which % len(found)] if found else None

    def due(self, days, hangs):
        """What the book calls it, and what the room does."""
        if hangs:
            return days, FromEvent(Offset(days=-days))
        day = self.now().date() + timedelta(days=days)
        return day, OnDay(day)

    # Tasks.

    @rule(days=days, hangs=st.booleans(), usual=st.booleans(), whose=st.none() | owners)
    def create_one(self, days, hangs, usual, whose):
        self.create(days, hangs, usual, whose)

    def create(self, days, hangs, usual, whose):
        due, spec = self.due(days, hangs)
        task = self.do(
            self.room.tasks.create(
                *self.life.here,
                title="Salle",
                due=spec,
                assignee_id=whose,
                details=TaskDetails(usual=usual),
            )
        )
        self.book.jobs[task.id] = Job(due, self.now(), whose)

    @rule(which=which, days=days, hangs=st.booleans(), whose=st.none() | owners)
    def edit(self, which, days, hangs, whose):
        if (key := self.one(which)) is None:
            return
        job = self.book.jobs[key]
        due, spec = self.due(days, hangs)
        if (due, whose) != (job.due, job.assignee):
            job.due, job.assignee, job.since = due, whose, self.now()
        self.do(
            self.room.tasks.update(*self.life.here, key, title="Salle", due=spec, assignee_id=whose)
        )

    @rule(which=which)
    def complete(self, which):
        if (key := self.one(which)) is not None:
            self.do(self.room.tasks.complete(*self.life.here, key))
            self.book.jobs[key].done = True

    @rule(which=which)
    def reopen(self, which):
        if (key := self.one(which, done=True)) is not None:
            self.do(self.room.tasks.reopen(*self.life.here, key))
            job = self.book.jobs[key]
            job.done, job.since, job.reopened = False, self.now(), self.now()

    @rule(which=which, who=owners, hours=hours)
    def snooze(self, which, who, hours):
        if (key := self.one(which)) is None:
            return
        action, until = uuid.uuid4(), self.now() + timedelta(hours=hours)
        for _ in range(2):
            self.do(
                self.room.snoozing.snooze(
                    user(who), self.life.here[1], key, action_id=action, until=until
                )
            )
        self.book.jobs[key].snoozes[who] = action, until

    @rule(which=which, kind=st.sampled_from([ActionKind.DONE, ActionKind.SNOOZE_1_HOUR]))
    def tap(self, which, kind):
        """Twice, as a device does that was not answered."""
        if not self.life.taps:
            return
        notice, tasks = self.life.taps[which % len(self.life.taps)]
        data, (who,) = notice.data, notice.user_ids
        if self.now() >= notice.expires_at + timedelta(days=5):
            return
        jobs = {key: job for key in tasks if not (job := self.book.jobs[key]).done}
        tapped = Tap(data["firing"], data["action_token"], kind, uuid.uuid4())
        first = self.do(self.room.acting.act(tapped))
        assert self.do(self.room.acting.act(tapped)) == first
        outcome = ActionOutcome.APPLIED if jobs else ActionOutcome.ALREADY_DONE
        assert first.outcome is outcome
        for key, job in jobs.items():
            if kind is ActionKind.DONE:
                job.done = True
            else:
                action = uuid.uuid5(tapped.action_id, str(key))
                job.snoozes[who] = action, self.now() + timedelta(hours=1)

    # People.

    @rule(who=owners, zone=st.sampled_from(ZONES))
    def travel(self, who, zone):
        self.do(self.room.people.report_zone(user(who), zone=zone, confirmed=True))
        self.book.owners[who].zone = zone
        self.do(self.life.settle())
        self.do(self.life.nothing_is_lost())

    @rule(who=owners, muted=st.booleans(), quiet=st.sampled_from(HOURS))
    def live_otherwise(self, who, muted, quiet):
        self.do(
            self.room.people.put(
                user(who),
                zone=ALGIERS,
                locale="fr-DZ",
                muted=muted,
                quiet=None if quiet is None else Quiet(*quiet),
            )
        )
        self.book.owners[who].muted, self.book.owners[who].quiet = muted, quiet

    @rule(ends=st.integers(18, 21))
    def ramadan_is_announced(self, ends):
        """Nothing is planned anew for that: what goes off then is judged."""
        self.room.almanac.known = [
            Ramadan(1447, RAMADAN.starts_on, date(2026, 3, ends)),
        ]

    # The event.

    @rule(at=st.sampled_from([EVENING, OTHER_EVENING]))
    def speak(self, at):
        self.do(self.life.speak(at))

    @rule(days=st.integers(3, 40))
    def move(self, days):
        self.do(self.life.move_event(self.now().date() + timedelta(days=days)))

    @rule(days=st.integers(3, 40), undo=st.booleans())
    def move_there_and_back(self, days, undo):
        day = self.now().date() + timedelta(days=days)
        if day != self.book.day:
            self.do(self.life.there_and_back(day, undo=undo))

    @rule(order=st.permutations(range(4)), days=days)
    def do_it_in_another_order(self, order, days):
        self.do(in_any_order(self.life, order, days))

    # Operators.

    @rule(which=st.sampled_from(PAUSABLE), late=st.booleans())
    def pause(self, which, late):
        """When it is late, what comes next is handed over ahead of its time already."""
        coming = self.book.next(self.now()) if late else None
        if coming is not None:
            self.pass_by(self.life.pass_time(coming - HANDED_OVER))
        self.do(self.life.pause(which))
        if coming is not None:
            self.pass_by(self.life.pass_time(coming + HANDED_OVER))

    @rule()
    def resume(self):
        for each in sorted(self.book.paused):
            self.do(self.life.resume(each))

    # Time and workers.

    @rule(hours=hours)
    def wait(self, hours):
        self.pass_by(self.life.pass_time(self.now() + timedelta(hours=hours)))

    @rule(hours=st.sampled_from([1, 5, 13, 30, 72]))
    def nobody_works(self, hours):
        self.life.clock.move(hours=hours)
        self.pass_by(self.life.settle())

    @rule(hours=hours, after=st.integers(1, 4))
    def die_working(self, hours, after):
        self.pass_by(self.life.die_working(self.now() + timedelta(hours=hours), after))

    @rule(hours=hours)
    def die_saying(self, hours):
        self.pass_by(self.life.die_saying(self.now() + timedelta(hours=hours)))

    def pass_by(self, doing):
        self.do(doing)
        self.do(self.life.is_well())

    def teardown(self):
        """Every history that began well ends with the end of the event."""
        if hasattr(self, "life"):
            self.resume()
            self.do(self.life.cancel())


@contextmanager
def lived_on(database_url: str) -> Iterator[type[Histories]]:
    """The machine, on a database on which one history is told after another."""
    database = Fragile(DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"))
    with asyncio.Runner() as runner:
        yield type("Here", (Histories,), {"runner": runner, "database": database})
        runner.run(database.close())
