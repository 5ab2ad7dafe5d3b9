"""The digester: tells each user in their morning, in one, what else there is."""

import logging
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.options import option
from kernel.workers import Pulse, Stop, repeat
from reminders.digests.agenda import Agenda, Turned, failed, turn
from reminders.digests.ports import DigestStore
from reminders.firing import POISON, FiringClass
from reminders.oversight import OperatingStore
from reminders.ports import Almanac

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DigestOptions:
    """How digests are told."""

    batch: int = option(50, "Users whose digests are made in one transaction.")
    poll_seconds: float = option(5.0, "Rest between looks for digests that are due.")

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= 500:
            raise ValueError("batch must be between 1 and 500")
        if self.poll_seconds <= 0:
            raise ValueError("poll_seconds must be above 0")


class Digester:
    """Safe to run many times: a user's turn is taken by one at a time."""

    name = "digester"

    def __init__(
        self,
        *,
        store: DigestStore,
        operating: OperatingStore,
        almanac: Almanac,
        clock: Clock,
        metrics: Metrics,
        options: DigestOptions,
        default_locale: str,
        relaying: Pulse,
    ) -> None:
        self._store = store
        self._operating = operating
        self._almanac = almanac
        self._clock = clock
        self._options = options
        self._default_locale = default_locale
        self._relaying = relaying
        self._outcomes = metrics.counter(
            "reminders_digests_total", "What became of digests that were due.", ["outcome"]
        )

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=self._options.poll_seconds)

    async def step(self) -> int:
        """Take a batch of turns; how many."""
        if FiringClass.DIGEST in await self._operating.paused():
            return 0
        now = self._clock.now()
        ramadans = await self._almanac.ramadans()

        def turned(agenda: Agenda) -> Turned:
            try:
                return turn(agenda, now=now, default_locale=self._default_locale)
            except POISON as error:
                # One user's poisoned plan must not keep everybody's digests back.
                user = {"user_id": agenda.reader.user_id}
                log.exception("digest failed", extra=user, exc_info=error)
                return failed(agenda.told_on, now)

        outcomes = await self._store.take_turns(
            turned, ramadans=ramadans, now=now, limit=self._options.batch
        )
        for outcome in outcomes:
            self._outcomes.labels(outcome).inc()
        if "told" in outcomes:
            self._relaying.beat()
        return len(outcomes)
