"""How a scheduler goes about its work: when, in which order, how much at once."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from kernel.errors import Unavailable
from kernel.metrics import Metrics
from kernel.notices import RECALL
from kernel.workers import Pulse
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.firing import FiringClass, Outcome, Tally
from reminders.scheduler import Scheduler, SchedulerOptions
from server.wiring.deeds import recorded
from tests.support.clock import START
from tests.support.factories_reminders import AMINA, KnownDays, server, user
from tests.support.metrics import value_of
from tests.support.weddings import job, wedding


@pytest.fixture
def notices(anywhere):
    """The notices that went out, oldest first; looking takes them."""
    return anywhere.notices


@pytest.fixture
def scheduler_on(sqlite_database, clock):
    """A scheduler on a store that a test watches."""

    def scheduler(store, **others):
        parts = {
            "operating": SqlOperatingStore(sqlite_database, recorded),
            "almanac": KnownDays(),
            "clock": clock,
            "metrics": Metrics(),
            "options": SchedulerOptions(),
            "relaying": Pulse(),
        }
        return Scheduler(store=store, **{**parts, **others})

    return scheduler


async def handed_over_ahead(room):
    """A task whose reminder is in the outbox already, half a minute before it is due."""
    event_id = await wedding(room)
    task = await job(room, event_id)
    await room.planner.step()
    room.clock.move(days=7, hours=23, minutes=59, seconds=30)
    assert await room.scheduler.step() == 1
    return event_id, task


async def test_what_is_done_and_open_again_before_its_minute_is_still_told(anywhere, notices):
    room = anywhere
    event_id, task = await handed_over_ahead(room)

    await room.tasks.complete(user(AMINA), event_id, task.id)
    await room.tasks.reopen(user(AMINA), event_id, task.id)
    # Nothing was said that could be taken back.
    assert await room.taken(RECALL) == []
    room.clock.move(seconds=30)
    assert await notices() == []

    await room.planner.step()
    assert await room.scheduler.step() == 1
    assert len(await notices()) == 1


async def test_a_class_that_is_paused_before_the_minute_waits_until_it_is_resumed(
    anywhere, notices
):
    room = anywhere
    await handed_over_ahead(room)

    await room.operating.pause(server(), FiringClass.EXACT_CALENDAR)
    room.clock.move(seconds=30)
    assert await notices() == []
    await room.planner.step()
    assert await room.scheduler.step() == 0

    await room.operating.resume(server(), FiringClass.EXACT_CALENDAR)
    assert await room.scheduler.step() == 1
    assert len(await notices()) == 1


async def test_nothing_is_claimed_while_the_clock_has_gone_back(room, scheduler_on):
    class Wound:
        """A clock that somebody winds."""

        def __init__(self, clock):
            self._clock = clock
            self.back = timedelta(0)

        def now(self):
            return self._clock.now() - self.back

        def monotonic(self):
            return self._clock.monotonic()

    wound = Wound(room.clock)
    scheduler = scheduler_on(room.firings, clock=wound)
    await job(room, await wedding(room))
    await room.planner.step()
    assert await scheduler.step() == 0
    room.clock.move(days=8, hours=2)

    assert await scheduler.step() == 1
    await job(room, await wedding(room, date(2026, 3, 11)))
    room.clock.move(hours=22, minutes=5)
    assert await scheduler.step() == 0
    await room.planner.step()
    wound.back = timedelta(seconds=3)
    assert await scheduler.step() == 0
    wound.back = timedelta(seconds=1)
    assert await scheduler.step() == 1


async def test_the_age_of_the_oldest_due_firing_is_shown(room, metrics):
    await job(room, await wedding(room))
    await room.planner.step()
    room.clock.move(days=8, minutes=10)

    await room.scheduler.step()
    assert value_of(metrics, "reminders_oldest_due_age_seconds") == 600
    await room.scheduler.step()
    assert value_of(metrics, "reminders_oldest_due_age_seconds") == 0


async def test_schedulers_begin_with_different_shards(scheduler_on):
    asked = []

    class Watched:
        async def due_shards(self, look):
            return dict.fromkeys((1, 9, 30, 32 + 7), look.until)

        async def fire_due(self, shard, judge, usual, *, look, now, limit):
            asked.append(shard)
            return []

    for first in (0, 5, 31):
        await scheduler_on(Watched(), first_shard=first).step()

    # What is prompt comes first, wherever they begin.
    assert asked == [39, 1, 9, 30, 39, 9, 30, 1, 39, 1, 9, 30]


async def test_batches_are_smaller_for_a_while_after_some_took_too_long(scheduler_on, clock):
    limits = []

    class Slow:
        async def due_shards(self, look):
            return {1: look.until}

        async def fire_due(self, shard, judge, usual, *, look, now, limit):
            limits.append(limit)
            if limit > 100:
                raise Unavailable("The database does not answer.")
            return []

    scheduler = scheduler_on(Slow())
    for _ in range(3):
        with pytest.raises(Unavailable):
            await scheduler.step()
    await scheduler.step()
    clock.move(minutes=1)
    with pytest.raises(Unavailable):
        await scheduler.step()

    assert limits == [500, 500, 500, 100, 500]


@pytest.mark.parametrize(
    ("seconds", "settled", "since"),
    [
        # All that was due was settled: only what is planned late could be there still.
        (0, 499, START - timedelta(minutes=9)),
        # A whole batch: there may be more of it.
        (0, 500, None),
        # It took long, and ended before it had been everywhere.
        (1, 1, None),
    ],
)
async def test_what_is_behind_is_looked_at_again_unless_nothing_was_left_there(
    scheduler_on, clock, seconds, settled, since
):
    looks = []

    class Watched:
        async def due_shards(self, look):
            looks.append(look)
            return {1: START - timedelta(hours=1), 2: START}

        async def fire_due(self, shard, judge, usual, *, look, now, limit):
            clock.move(seconds=seconds)
            return [Tally(FiringClass.NAG, Outcome.FIRED, [0.0] * settled)]

    scheduler = scheduler_on(Watched())
    await scheduler.step()
    await scheduler.step()

    assert [each.since for each in looks] == [None, since]


async def test_what_the_sweep_found_behind_is_seen_at_the_next_look_as_well(scheduler_on, clock):
    looks, left = [], [0, 500, 500, 0]

    class Watched:
        async def due_shards(self, look):
            looks.append(look)
            return {1: clock.now() - timedelta(hours=1)} if left[0] else {}

        async def fire_due(self, shard, judge, usual, *, look, now, limit):
            return [Tally(FiringClass.NAG, Outcome.FIRED, [0.0] * left[0])]

    scheduler = scheduler_on(Watched())
    while left:
        await scheduler.step()
        clock.move(seconds=10 if left.pop(0) == 0 else 1)

    assert [each.since for each in looks] == [None] * 4


async def test_what_is_planned_where_nothing_was_left_is_found_within_seconds(room):
    """A user who flies east is late at once."""
    event_id = await wedding(room)
    await job(room, event_id)
    await room.planner.step()
    room.clock.move(days=7, hours=20)
    assert await room.scheduler.step() == 0

    await room.people.put(user(AMINA), zone="Asia/Kathmandu", locale="en")
    await room.planner.step()
    room.clock.move(seconds=10)

    assert await room.scheduler.step() == 1


@pytest.mark.parametrize(
    "wrong",
    [{"batch": 0}, {"batch": 1001}, {"poll_seconds": 0}, {"look_ahead_seconds": 301}],
)
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        replace(SchedulerOptions(), **wrong)
