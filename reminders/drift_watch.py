"""The drift watch: looks, one event after the other, whether what waits is what is planned."""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.ids import new_id
from kernel.metrics import Metrics
from kernel.workers import Stop, repeat
from reminders.comparing import PlanStore
from reminders.firing import Firing
from reminders.ports import Almanac
from reminders.rules import plan
from reminders.types import Inputs

log = logging.getLogger(__name__)

_REST = 60.0
"""Seconds between two events: three hundred thousand are looked at in seven months."""

_SOMEWHERE = 400 * 24 * 60
"""Minutes back within which a process begins, so that not all begin with the same events."""


class DriftWatch:
    """A difference is a fault of ours, never of an operator's; it is counted and told, and left
    for `replan` to mend, so that it can be looked into."""

    name = "drift watch"

    def __init__(
        self, *, store: PlanStore, almanac: Almanac, clock: Clock, metrics: Metrics
    ) -> None:
        self._store = store
        self._almanac = almanac
        self._clock = clock
        back = timedelta(minutes=secrets.randbelow(_SOMEWHERE))
        self._after = new_id(clock.now() - back)
        self._drift = metrics.counter(
            "reminders_reconcile_drift_total",
            "Firings found to wait that are not planned, or planned that do not wait: 0, always.",
        )
        self._looked = metrics.counter(
            "reminders_plans_compared_total", "Events whose plan was compared with what waits."
        )

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=_REST)

    async def step(self) -> int:
        """Look at the next event; always 0, for there is no hurry."""
        now = self._clock.now()
        ramadans, spread = await self._almanac.ramadans(), await self._almanac.spread()

        def planned(inputs: Inputs, until: datetime) -> Sequence[Firing]:
            known = replace(inputs, ramadans=ramadans, spread=spread)
            return plan(known, until=until, since=now)

        found = await self._store.compare(self._after, planned, now=now)
        if found is None:
            self._after = UUID(int=0)
            return 0
        self._after = found.event_id
        self._looked.inc()
        if found.drift:
            self._drift.inc(found.drift)
            log.error(
                "plan drifted",
                extra={
                    "event_id": str(found.event_id),
                    "missing": found.missing,
                    "extra": found.extra,
                },
            )
        return 0
