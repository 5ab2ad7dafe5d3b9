"""One event lived through twice: in the room, on a real database, and in the model beside it."""

import asyncio
import uuid
from base64 import b32decode
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Row
from kernel.adapters.outbox_claims import OUTBOX, WAITING
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import NOTICE, Notice
from kernel.workers import Pulse
from reminders.adapters.mapping import EVENTS, FIRINGS, LOG, MARKS
from reminders.adapters.sql_digests import ITEMS
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.days import UNDO
from reminders.firing import BUDGETED, Firing, FiringClass
from reminders.handed import LATE, REMINDER
from reminders.person import Ramadan
from reminders.placing import POLICY, POLITE
from reminders.planner import LOOK_BACK
from reminders.rules import plan
from reminders.scheduler import SWEEP_SECONDS, Scheduler, SchedulerOptions
from reminders.types import CalendarLead, Inputs, Offset, Role
from reminders.usual import SNOOZED
from server.wiring.deeds import recorded
from tests.support.clock import ManualClock
from tests.support.factories_reminders import AMINA, BILAL, Room, room, server, user
from tests.support.fragile import Crash, Fragile
from tests.support.histories import Book, Who, Word, clocks

ALGIERS = "Africa/Algiers"
BARELY_LATE = timedelta(minutes=30)
LEASE = timedelta(minutes=5)
LOOK_AHEAD = timedelta(minutes=1)
HORIZON, TOP_UP = timedelta(days=35), timedelta(days=34)


class Life:
    """Every doing happens in the room and in the book; `settle` compares what they tell."""

    def __init__(self, database: Fragile, ramadan: Ramadan) -> None:
        self.database = database
        self.clock = ManualClock()
        self.room: Room = room(database, self.clock, Metrics())
        self.room.almanac.known = [ramadan]
        self.second = Scheduler(
            store=self.room.firings,
            operating=SqlOperatingStore(database, recorded),
            almanac=self.room.almanac,
            clock=self.clock,
            metrics=Metrics(),
            options=SchedulerOptions(batch=2, look_ahead_seconds=0),
            relaying=Pulse(),
        )
        self.told: dict[bytes, datetime] = {}
        self.pushes: Counter[tuple[UserId, date]] = Counter()
        self.taps: list[tuple[Notice, list[UUID]]] = []
        """What has buttons, and the tasks that they are for."""
        self.planned_with = self.room.almanac.known
        self.hasty = False
        self.unheard = False

    async def begin(self, day: date, at: time) -> None:
        async with self.database.transaction() as connection:
            for table in reversed(Row.metadata.sorted_tables):
                await connection.execute(table.delete())
        now = self.clock.now()
        for owner in (AMINA, BILAL):
            await self.room.people.put(user(owner), zone=ALGIERS, locale="fr-DZ")
        sheet = await self.room.events.create(
            user(AMINA), title="زفاف", zone=ALGIERS, day=day, at=time(19), usual=True
        )
        self.here = user(AMINA), sheet.event.id
        await self.room.events.put_member(*self.here, user_id=BILAL, role=Role.OWNER)
        self.rule_id = uuid.uuid4()
        self.book = Book({each: Who(ALGIERS) for each in (AMINA, BILAL)}, day, now, at, now)
        await self.speak(at)

    async def speak(self, at: time) -> None:
        """Everybody is told of everything on the evening before, at a time of theirs."""
        if at != self.book.at:
            self.book.at, self.book.ruled = at, self.clock.now()
        await self.room.rules.put(
            *self.here,
            rule_id=self.rule_id,
            task_id=None,
            user_id=None,
            lead=CalendarLead(Offset(days=1), at),
            exact=True,
        )

    @property
    def ramadans(self) -> Collection[tuple[date, date]]:
        """The one that operators know of, and the next as the calendar of Umm al-Qura has it."""
        (known,) = self.room.almanac.known
        return (known.starts_on, known.ends_on), (date(2027, 2, 8), date(2027, 3, 8))

    # Time, workers and their ends.

    async def pass_time(self, until: datetime) -> None:
        """From one moment at which something is due to the next."""
        await self.settle()
        while (now := self.clock.now()) < until:
            coming = [until, await self.next_due(), self.book.next(now)]
            at = min(each for each in coming if each is not None)
            if at == self.book.next(now) and at - now > timedelta(seconds=1):
                self.move(at - timedelta(seconds=1))
                await self.settle()
            self.move(at)
            await self.settle()

    def move(self, to: datetime) -> None:
        self.clock.move(seconds=(to - self.clock.now()).total_seconds())

    async def next_due(self) -> datetime | None:
        """When something is due next, unless its class is paused."""
        named = {"now": self.clock.now(), "paused": list(self.book.paused)}
        async with self.database.reading() as connection:
            found = (await connection.execute(_NEXT_DUE, named)).scalar_one()
            return cast("datetime | None", found)

    async def settle(self) -> None:
        """What is told when all workers are at rest is what the book tells."""
        await self.work()
        await self.hear()

    async def work(self) -> bool:
        """Planner and schedulers work until nothing is left to do; whether there was anything.

        Every other time schedulers come first, and so upon plans that are no longer so.
        """
        busy = False
        self.hasty = not self.hasty
        for turn in range(20):
            plans, due, self.unheard = await self._to_do()
            if not plans and not due:
                return busy
            busy = True
            if plans and not (self.hasty and due and turn == 0):
                await self.room.planner.step()
            if due and not any(
                await asyncio.gather(self.second.step(), self.room.scheduler.step())
            ):
                # What is planned late, where all was told already, is seen a little later.
                self.clock.move(seconds=SWEEP_SECONDS)
        raise AssertionError("the workers do not come to rest")

    async def _to_do(self) -> tuple[bool, bool, bool]:
        """Whether there are plans to make, whether anything is due, and whether to be heard."""
        now = self.clock.now()
        named = {"now": now, "paused": list(self.book.paused)}
        async with self.database.reading() as connection:
            marked, end, due, unheard = (await connection.execute(_TO_DO, named)).one()
        plans = marked or (end is not None and end < now + TOP_UP)
        return plans, due is not None and due <= now + LOOK_AHEAD, unheard

    async def die_working(self, until: datetime, after: int) -> None:
        """A worker dies at the end of its transaction, and others do it all again."""
        self.move(until)
        self.database.breaks_in = after
        try:
            while await self.room.planner.step() or await self.second.step():
                pass
        except* Crash:
            pass
        finally:
            self.database.breaks_in = -1
        await self.settle()

    async def die_saying(self, until: datetime) -> None:
        """A relay dies after it worded what went off: another takes it when the lease is over."""
        self.move(until)
        await self.work()
        handed = await self.room.outbox.claim(
            [REMINDER, LATE], now=self.clock.now(), lease=LEASE, limit=1000
        )
        if handed:
            await self.room.announcer.handle(handed)
        self.move(self.clock.now() + timedelta(minutes=15))
        await self.settle()

    # What is heard, and whether it may be.

    async def hear(self) -> None:
        now, expected = self.clock.now(), self.book.step(self.clock.now())
        notices: list[Notice] = []
        while self.unheard:
            notices += await self.room.notices()
            # What is given back is planned and goes off anew, within the same moment.
            await self.work()
        rows = await self._logged() if notices else {}
        exact: list[Word] = []
        for notice in notices:
            said = [rows[key] for key in _keys(notice)]
            for row in said:
                assert row.dedupe_key not in self.told, ("told twice", row)
                self.told[row.dedupe_key] = now
                self._may_be_told(row, now)
                if row.firing_class == FiringClass.EXACT_CALENDAR:
                    what = "snooze" if row.rule_id == SNOOZED else "rule"
                    exact.append((what, row.task_id, UserId(row.user_id)))
            if said and all(row.firing_class in BUDGETED for row in said):
                who = UserId(said[0].user_id)
                day = now.astimezone(clocks(self.book.owners[who].zone)).date()
                self.pushes[who, day] += 1
                assert self.pushes[who, day] <= 3, ("over budget", who, day)
            if "action_token" in notice.data:
                self.taps.append((notice, [row.task_id for row in said]))
        assert sorted(exact) == expected, (now, exact, expected)

    def _may_be_told(self, row: Any, now: datetime) -> None:
        who = self.book.owners[UserId(row.user_id)]
        assert not self.book.over, ("cancelled", row)
        assert not who.muted, ("muted", row)
        assert row.firing_class not in self.book.paused, ("paused", row)
        assert row.due_at <= now, ("early", row)
        job = self.book.jobs.get(row.task_id)
        if job is not None:
            assert not job.done, ("done", row)
            snoozed = row.rule_id == SNOOZED
            assert snoozed or row.user_id in self.book.concerned(job), ("another's", row)
            today = now.astimezone(clocks(who.zone)).date()
            late = row.firing_class == FiringClass.NAG or snoozed
            assert late or today <= self.book.due(job), ("no longer useful", row)
        back = self.book.back
        if row.firing_class in POLICY and back is not None and now < back[2]:
            assert row.due_at < back[2] - UNDO, ("told while it can be undone", row)
        if row.firing_class in POLITE and who.rests(now, self.ramadans):
            barely = now - row.due_at <= BARELY_LATE
            assert barely, ("woken", row)
            assert not who.rests(row.due_at, self.ramadans), ("woken", row)

    # Operators.

    async def pause(self, firing_class: FiringClass) -> None:
        """What was handed over ahead of its time is given back, and waits with the others."""
        await self.room.operating.pause(server(), firing_class)
        self.book.paused.add(firing_class)

    async def resume(self, firing_class: FiringClass) -> None:
        await self.room.operating.resume(server(), firing_class)
        self.book.paused.discard(firing_class)

    async def cancel(self) -> None:
        """From now on nothing is told."""
        await self.room.events.cancel(*self.here)
        self.book.over = True
        await self.pass_time(self.clock.now() + timedelta(days=4))
        assert await self.waiting() == {}

    # The event.

    async def move_event(self, day: date) -> None:
        if day != self.book.day:
            self.book.move(day, self.clock.now())
        await self.room.moving.move(*self.here, day=day, at=time(19))

    async def there_and_back(self, day: date, *, undo: bool) -> None:
        """What waits afterwards is what waited before."""
        await self.settle()
        before, back = await self.waiting(), self.book.day
        reach = self.clock.now() + HORIZON
        # What has waited for longer is history to a plan that thinks of it anew.
        planned = await self.desired(self.clock.now(), before.values())
        recent = self.clock.now() - LOOK_BACK
        kept = {key for key in before if planned[key].due_at > recent}
        await self.move_event(day)
        await self.work()
        if undo:
            self.book.move(back, self.clock.now())
            self.book.back = None
            await self.room.moving.undo(*self.here)
        else:
            await self.move_event(back)
        await self.work()
        after = await self.waiting()
        assert not (lost := kept - after.keys()), [before[key] for key in lost]
        # The clock goes on while workers work, and with it how far ahead is planned.
        new = [row for key, row in after.items() if key not in before and row.due_at < reach]
        assert not new, new

    # What is left.

    async def is_well(self) -> None:
        await self.settle()
        await self.nothing_is_lost()
        await self.planning_again_writes_nothing()

    async def nothing_is_lost(self) -> None:
        """Whatever the plan wants is told, waits, or is recorded with what became of it."""
        now = self.clock.now()
        logged, waiting = await self._logged(), await self.waiting()
        desired = await self.desired(now, waiting.values())
        for key, firing in desired.items():
            near = firing.due_at < now + timedelta(days=33)
            if near and firing.due_at >= now - timedelta(hours=48):
                assert key in logged or key in waiting, ("lost", firing)
        for key, row in waiting.items():
            assert key in desired, ("left over", row)
            assert key not in logged, ("left over", row)
            if row.due_at != desired[key].due_at and self.planned_with == self.room.almanac.known:
                assert desired[key].due_at <= now < row.due_at, ("elsewhere", row)
            assert row.due_at > now or row.firing_class in self.book.paused, ("forgotten", row)
        async with self.database.reading() as connection:
            items = set((await connection.execute(sa.select(ITEMS.c.dedupe_key))).scalars())
        for key, row in logged.items():
            if row.outcome in ("fired", "folded") and row.due_at <= now:
                assert key in self.told or key in items, ("never said", row)
            assert row.outcome in ("fired", "done") or row.reason or row.outcome == "muted", row

    async def planning_again_writes_nothing(self) -> None:
        await self.room.planner.reconcile([self.here[1]], self.room.almanac.known)
        again = await self.room.planner.reconcile([self.here[1]], self.room.almanac.known)
        assert again.writes == 0
        self.planned_with = self.room.almanac.known
        await self.settle()

    async def desired(self, now: datetime, waiting: Iterable[Any]) -> Mapping[bytes, Firing]:
        sheet = await self.room.events.get(*self.here)
        _, tasks = await self.room.tasks.of(*self.here, cursor=None, limit=400)
        people = {each: await self.room.people.get(user(each)) for each in self.book.owners}
        inputs = Inputs(
            event=sheet.event,
            members=sheet.members,
            tasks=tasks.items,
            rules=sheet.rules,
            people=people,
            guests=(),
            ramadans=self.room.almanac.known,
            waiting_since=min((each.due_at for each in waiting), default=None),
        )
        until = now + timedelta(days=36)
        return {each.dedupe_key: each for each in plan(inputs, until=until, since=now)}

    async def waiting(self, *, of: Collection[UUID] = ()) -> dict[bytes, Any]:
        query = sa.select(FIRINGS).where(FIRINGS.c.event_id.in_(of or [self.here[1]]))
        async with self.database.reading() as connection:
            return {row.dedupe_key: row for row in await connection.execute(query)}

    async def _logged(self) -> dict[bytes, Any]:
        async with self.database.reading() as connection:
            return {row.dedupe_key: row for row in await connection.execute(sa.select(LOG))}


_PLANNED = sa.select(sa.func.min(FIRINGS.c.due_at)).where(
    FIRINGS.c.firing_class.not_in(sa.bindparam("paused", expanding=True))
)
_NOW: sa.BindParameter[datetime] = sa.bindparam("now", type_=FIRINGS.c.due_at.type)
_NEXT_DUE = _PLANNED.where(FIRINGS.c.due_at > _NOW)
_TO_DO = sa.select(
    sa.exists().select_from(MARKS),
    sa.select(sa.func.min(EVENTS.c.planned_until))
    .where(EVENTS.c.cancelled_at.is_(None))
    .scalar_subquery(),
    _PLANNED.scalar_subquery(),
    sa.exists().where(
        WAITING,
        OUTBOX.c.kind.in_([REMINDER, LATE, NOTICE]),
        OUTBOX.c.due_at <= _NOW,
        sa.or_(OUTBOX.c.leased_until.is_(None), OUTBOX.c.leased_until <= _NOW),
    ),
)


def _keys(notice: Notice) -> list[bytes]:
    """The firings that a notice tells."""
    names = [each.partition(".")[0] for each in notice.alarms]
    names = names or [notice.dedupe_key.removeprefix("reminder:")]
    return [b32decode(name.upper() + "======") for name in names]
