"""The planner: keeps the firings of the coming horizon planned."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.options import option
from kernel.workers import Pulse, Stop, repeat
from reminders.firing import POISON, Firing
from reminders.person import Ramadan
from reminders.ports import Almanac, FiringStore, Reconciled
from reminders.rules import plan
from reminders.times import ZONE_DATA_VERSION
from reminders.types import Inputs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlannerOptions:
    """How far ahead reminders are planned, and how eagerly."""

    horizon_days: int = option(35, "How far ahead firings are planned; further away, rules do.")
    batch: int = option(50, "Events whose plans are made again in one step.")
    poll_seconds: float = option(1.0, "Rest between looks for plans that are no longer right.")
    retry_seconds: float = option(60.0, "How long an event whose plan failed is left alone.")

    def __post_init__(self) -> None:
        if self.horizon_days < 2:
            raise ValueError("horizon_days must be at least 2")
        if self.batch < 1:
            raise ValueError("batch must be at least 1")
        if self.poll_seconds <= 0:
            raise ValueError("poll_seconds must be above 0")
        if self.retry_seconds <= 0:
            raise ValueError("retry_seconds must be above 0")


LOOK_BACK = timedelta(hours=48)
"""A firing that is first thought of later than this is history, not late."""


SOON = timedelta(seconds=61)
"""What is due within this is for the scheduler's next look: it looks a minute ahead."""

TOGETHER, LANES = 8, 3
"""So many events are planned in one transaction, and so many transactions are under way: while
the database works for some, another is planned."""


class Planner:
    """Safe to run many times: an event is planned by one at a time. Beating `scheduling` tells
    schedulers that something is due within `soon`."""

    name = "planner"

    def __init__(
        self,
        *,
        store: FiringStore,
        almanac: Almanac,
        clock: Clock,
        metrics: Metrics,
        options: PlannerOptions,
        pulse: Pulse,
        scheduling: Pulse | None = None,
        soon: timedelta = SOON,
        together: int = TOGETHER,
        lanes: int = LANES,
    ) -> None:
        self._store = store
        self._almanac = almanac
        self._clock = clock
        self._options = options
        self._pulse = pulse
        self._scheduling = scheduling
        self._soon = soon
        self._together = together
        self._lanes = lanes
        self._failed: dict[UUID, float] = {}
        self._reconciled = metrics.counter(
            "reminders_planned_firings_total", "Firings written by planning.", ["change"]
        )
        self._failures = metrics.counter(
            "reminders_plan_failures_total", "Events whose plan could not be made."
        )
        self._marks = metrics.gauge("reminders_plan_dirty", "Marks that wait to be planned.")
        self._lag = metrics.gauge(
            "reminders_horizon_lag_seconds",
            "How far the plan that ends first is behind the horizon; a day is usual.",
        )
        self._seconds = metrics.histogram(
            "reminders_reconcile_seconds",
            "Time to make one event's plan again: its part of those made together.",
        )
        metrics.gauge(
            "reminders_zone_data_info", "The release of the time-zone data in use.", ["version"]
        ).labels(ZONE_DATA_VERSION).set(1)
        self._marks_age = metrics.gauge(
            "reminders_plan_dirty_oldest_age_seconds", "Age of the oldest mark that waits."
        )

    async def run(self, stop: Stop) -> None:
        await repeat(
            self.step,
            clock=self._clock,
            stop=stop,
            idle=self._options.poll_seconds,
            pulse=self._pulse,
        )

    async def step(self) -> int:
        """Make the plans of a batch of events again; how many."""
        now = self._clock.now()
        horizon = timedelta(days=self._options.horizon_days)
        events = await self._store.to_plan(
            top_up_before=now + horizon - timedelta(days=1),
            limit=self._options.batch,
            without=self._left_alone(),
        )
        ramadans = await self._almanac.ramadans() if events else ()
        spread = await self._almanac.spread() if events else timedelta(0)
        batches = (events[at : at + self._together] for at in range(0, len(events), self._together))

        async def work() -> None:
            for batch in batches:
                await self._plan(batch, ramadans, spread)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._lanes):
                group.create_task(work())
        backlog = await self._store.backlog(now)
        self._marks.set(backlog.marks)
        self._marks_age.set(backlog.oldest_age)
        if backlog.reach is not None:
            self._lag.set(max(0.0, horizon.total_seconds() - backlog.reach))
        return len(events)

    async def reconcile(
        self,
        event_ids: Sequence[UUID],
        ramadans: Sequence[Ramadan],
        spread: timedelta = timedelta(0),
    ) -> Reconciled:
        """Make what waits for the events equal to their plans: for all of them, or none."""
        now = self._clock.now()
        until = now + timedelta(days=self._options.horizon_days)

        def planned(inputs: Inputs) -> Sequence[Firing]:
            known = replace(inputs, ramadans=ramadans, spread=spread)
            return plan(known, until=until, since=now)

        return await self._store.reconcile(
            event_ids, planned, since=now - LOOK_BACK, until=until, now=now
        )

    async def _plan(
        self, event_ids: Sequence[UUID], ramadans: Sequence[Ramadan], spread: timedelta
    ) -> None:
        began = self._clock.monotonic()
        try:
            done = await self.reconcile(event_ids, ramadans, spread)
        except POISON:
            # One event that cannot be planned must not hold back all others.
            if len(event_ids) == 1:
                self._set_aside(event_ids[0])
            else:
                for each in event_ids:
                    await self._plan([each], ramadans, spread)
            return
        took = self._clock.monotonic() - began
        for _ in event_ids:
            self._seconds.observe(took / len(event_ids))
        self._reconciled.labels("added").inc(done.added)
        self._reconciled.labels("moved").inc(done.moved)
        self._reconciled.labels("removed").inc(done.removed)
        self._tell(done)

    def _tell(self, done: Reconciled) -> None:
        """Wake schedulers for what is due before they look again by themselves."""
        if self._scheduling is None or done.soonest is None:
            return
        if done.soonest <= self._clock.now() + self._soon:
            self._scheduling.beat()

    def _set_aside(self, event_id: UUID) -> None:
        self._failed[event_id] = self._clock.monotonic() + self._options.retry_seconds
        self._failures.inc()
        log.exception("plan failed", extra={"event_id": str(event_id)})

    def _left_alone(self) -> frozenset[UUID]:
        now = self._clock.monotonic()
        self._failed = {event: until for event, until in self._failed.items() if until > now}
        return frozenset(self._failed)
