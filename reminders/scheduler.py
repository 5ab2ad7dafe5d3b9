"""The scheduler: lets due firings go off, once."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from kernel.options import option
from kernel.workers import Pulse, Stop, repeat
from reminders.catching_up import BEHIND, LateTurn
from reminders.firing import DueFiring, FiringClass, Judgement, Look, Outcome, Tally
from reminders.handover import judge, needs_a_look
from reminders.identity import SHARDS
from reminders.lateness import LATENESS_BUCKETS
from reminders.oversight import OperatingStore
from reminders.person import Ramadan
from reminders.ports import Almanac, FiringStore
from reminders.quiet import Habits
from reminders.reasons import word_of

log = logging.getLogger(__name__)

BATCHES = (1, 10, 50, 100, 250, 500, 1000)
"""Buckets of the size of a batch."""

CLOCK_SLACK = timedelta(seconds=2)
"""How far the wall clock may go back before nothing is claimed until it has caught up."""


LONGEST_LOOK = 0.5
"""Seconds of going through ordinary shards before prompt ones are looked at again."""

SWEEP_SECONDS = 10.0
DRAINED_SLACK = timedelta(minutes=10)
"""Where nothing is left but the remains of what went off is not looked at again and again, only
once in a while: something may have been planned there late."""

MANY_TIMEOUTS, SMALL_BATCH, SMALL_SECONDS = 3, 100, 60.0
"""After so many batches in a row that took too long they are smaller for a while."""


ONE_WRITER_BATCH = 100
"""The batch, at most, where whoever else writes waits for it to end."""


@dataclass(frozen=True, slots=True)
class SchedulerOptions:
    """How due reminders are handed over."""

    batch: int = option(500, "Firings claimed at once. More is faster, and later to give way.")
    poll_seconds: float = option(1.0, "Rest between looks for due firings.")
    look_ahead_seconds: float = option(
        60.0, "How early firings are handed to the outbox, which keeps them until they are due."
    )
    default_locale: str = option("en", "For the days in texts to users without a profile.")
    late_share: float = option(
        0.25,
        "How much of what is sent to phones in a second may be policy reminders that an outage"
        " made late by more than 15 minutes.",
    )

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= 1000:
            raise ValueError("batch must be between 1 and 1000")
        if self.poll_seconds <= 0:
            raise ValueError("poll_seconds must be above 0")
        if not 0 <= self.look_ahead_seconds <= 300:
            raise ValueError("look_ahead_seconds must be between 0 and 300")
        if not 0 < self.late_share <= 1:
            raise ValueError("late_share must be above 0 and at most 1")


class Scheduler:
    """Safe to run many times: a firing is claimed by one, judged, and handed to the outbox in
    the transaction that removes it. Beating `pulse` says that something may be due soon;
    beating `relaying` tells the relay of this process."""

    name = "scheduler"

    def __init__(
        self,
        *,
        store: FiringStore,
        operating: OperatingStore,
        almanac: Almanac,
        clock: Clock,
        metrics: Metrics,
        options: SchedulerOptions,
        relaying: Pulse,
        pulse: Pulse | None = None,
        first_shard: int = 0,
        late: LateTurn | None = None,
    ) -> None:
        self._store = store
        self._operating = operating
        self._almanac = almanac
        self._clock = clock
        self._options = options
        self._relaying = relaying
        self._pulse = pulse
        self._first_shard = first_shard % SHARDS
        self._late = late
        self._is_behind = False
        self._latest: datetime | None = None
        self._paused: Collection[FiringClass] = ()
        self._drained: datetime | None = None
        self._swept_at = float("-inf")
        self._timeouts = 0
        self._small_until = float("-inf")
        self._lateness = metrics.histogram(
            "reminders_lateness_seconds",
            "Handed over minus due.",
            ["class"],
            buckets=LATENESS_BUCKETS,
        )
        self._outcomes = metrics.counter(
            "reminders_firings_total",
            "What became of due firings, and why.",
            ["class", "outcome", "reason"],
        )
        self._conflicts = metrics.counter(
            "reminders_dedupe_conflicts_total",
            "Firings that a race planned again and that were settled before: they do nothing.",
            ["class"],
        )
        self._oldest = metrics.gauge(
            "reminders_oldest_due_age_seconds", "How long the oldest due firing has waited."
        )
        self._behind = metrics.gauge(
            "reminders_catching_up",
            "1 while policy reminders that are late by an outage are held to their share.",
        )
        self._seconds = metrics.histogram(
            "reminders_claim_seconds", "Time to claim, judge and hand over one batch."
        )
        self._claimed = metrics.histogram(
            "reminders_claim_firings", "Firings in one batch.", buckets=BATCHES
        )
        self._held = metrics.counter(
            "reminders_clock_holds_total", "Steps that waited for a clock that had gone back."
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
        """Let a batch of each shard's due firings go off, the prompt ones first; how many were
        settled. With much to do it ends before it has been everywhere."""
        now = self._clock.now()
        if not self._trusts(now):
            return 0
        look = await self._look(now)
        shards = await self._store.due_shards(look)
        oldest = min(shards.values(), default=now)
        self._oldest.set(max(0.0, (now - oldest).total_seconds()))
        ramadans = await self._almanac.ramadans() if shards else ()
        prompt = [shard for shard in shards if shard >= SHARDS]
        ordinary = [shard for shard in shards if shard < SHARDS]
        late = [shard for shard in ordinary if shards[shard] < now - BEHIND]
        fresh, behind = look, self._late is not None and bool(late)
        if behind:
            fresh = replace(look, since=now - BEHIND)
            ordinary = [each for each in await self._store.due_shards(fresh) if each < SHARDS]
        self._tell(behind, now - oldest)
        count, began, drained = 0, self._clock.monotonic(), not behind
        for shard in (*self._in_turn(prompt), *self._in_turn(ordinary)):
            if shard < SHARDS and self._clock.monotonic() - began > LONGEST_LOOK:
                self._first_shard, drained = shard, False
                break
            settled = await self._fire(shard, ramadans, look if shard >= SHARDS else fresh)
            count += settled
            drained = drained and settled < self._batch
        if behind:
            count += await self._fire_late(late, ramadans, replace(look, until=now - BEHIND))
        if drained:
            self._drained = look.until - DRAINED_SLACK
        elif self._drained is not None and oldest < self._drained:
            # What was found further back must be seen at the next look as well.
            self._drained = None
        if count:
            self._relaying.beat()
        return count

    async def _fire_late(
        self, shards: Collection[int], ramadans: Sequence[Ramadan], look: Look
    ) -> int:
        """Let go off what is late, as much of it as may, and all of one user's at once."""
        assert self._late is not None, "without a turn nothing is late"
        count, began = 0, self._clock.monotonic()
        for shard in self._in_turn(shards):
            allowed = await self._late.allowed()
            if allowed == 0 or self._clock.monotonic() - began > LONGEST_LOOK:
                break
            settled = await self._fire(
                shard, ramadans, replace(look, by_user=True), limit=min(allowed, self._batch)
            )
            self._late.took(settled)
            count += settled
        return count

    def _tell(self, behind: bool, age: timedelta) -> None:
        self._behind.set(behind)
        if behind and not self._is_behind:
            log.warning("catching up", extra={"oldest_seconds": int(age.total_seconds())})
        elif self._is_behind and not behind:
            log.info("caught up")
        self._is_behind = behind

    async def _look(self, now: datetime) -> Look:
        """What is looked at now: with the look ahead, and once in a while everything behind."""
        until = now + timedelta(seconds=self._options.look_ahead_seconds)
        paused, before = frozenset(await self._operating.paused()), self._paused
        self._paused = paused
        if paused == before and self._clock.monotonic() - self._swept_at < SWEEP_SECONDS:
            return Look(until, self._drained, paused)
        self._swept_at = self._clock.monotonic()
        return Look(until, None, paused)

    @property
    def _batch(self) -> int:
        small = self._clock.monotonic() < self._small_until
        return min(SMALL_BATCH, self._options.batch) if small else self._options.batch

    async def _fire(
        self, shard: int, ramadans: Sequence[Ramadan], look: Look, *, limit: int | None = None
    ) -> int:
        now = self._clock.now()

        def judged(due: DueFiring) -> Judgement:
            # Judged as of when it will be said.
            return judge(due, now=max(now, due.firing.due_at), ramadans=ramadans)

        def usual(firing_class: FiringClass, habits: Habits) -> bool:
            return not any(
                needs_a_look(firing_class, habits, at, ramadans)
                for at in (now, max(now, look.until))
            )

        began = self._clock.monotonic()
        try:
            tallies = await self._store.fire_due(
                shard, judged, usual, look=look, now=now, limit=limit or self._batch
            )
        except Unavailable:
            self._timeouts += 1
            if self._timeouts >= MANY_TIMEOUTS:
                self._small_until = self._clock.monotonic() + SMALL_SECONDS
            raise
        self._timeouts = 0
        self._seconds.observe(self._clock.monotonic() - began)
        count = self._counted(tallies)
        self._claimed.observe(count)
        return count

    def _counted(self, tallies: Sequence[Tally]) -> int:
        count = 0
        for tally in tallies:
            if tally.outcome is None:
                self._conflicts.labels(tally.firing_class).inc(len(tally.lateness))
                continue
            count += len(tally.lateness)
            end = tally.firing_class, tally.outcome, word_of(tally.reason)
            self._outcomes.labels(*end).inc(len(tally.lateness))
            if tally.outcome is Outcome.FIRED:
                lateness = self._lateness.labels(tally.firing_class)
                for seconds in tally.lateness:
                    lateness.observe(max(0.0, seconds))
        return count

    def _in_turn(self, shards: Collection[int]) -> list[int]:
        """The shards, each scheduler beginning elsewhere: so they rarely want the same one."""
        return sorted(shards, key=lambda shard: (shard - self._first_shard) % SHARDS)

    def _trusts(self, now: datetime) -> bool:
        """Whether the clock has not gone back: what fired already would be judged anew."""
        if self._latest is not None and now < self._latest - CLOCK_SLACK:
            self._held.inc()
            return False
        self._latest = now if self._latest is None else max(self._latest, now)
        return True
