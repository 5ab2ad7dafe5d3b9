"""The database's clock, as far as a node knows it: nodes whose own clocks differ agree on now."""

import logging
from datetime import datetime, timedelta

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.workers import Stop, rest

log = logging.getLogger(__name__)

MEASURES = 5
"""Of so many looks at the database's clock the one that was answered fastest counts."""

REST_SECONDS = 60.0

NOTICED = timedelta(seconds=1)
"""A machine that is so far off is worth a warning: other things on it do not ask the database."""

TRIFLE = timedelta(milliseconds=20)
"""What is less may be the way to the database and back, and changes nothing."""


class DatabaseClock:
    """What the database's clock said when it was asked, and the seconds since.

    So it makes no difference when somebody sets the machine's own. A file has no clock: on
    SQLite, and before anybody asked, this is the machine's.
    """

    name = "clock"

    def __init__(self, clock: Clock, database: Database, metrics: Metrics) -> None:
        self._clock = clock
        self._database = database
        self._asked: tuple[datetime, float] | None = None
        self._skew = metrics.gauge(
            "kernel_clock_skew_seconds", "How far the database's clock is ahead of this machine's."
        )

    def now(self) -> datetime:
        if self._asked is None:
            return self._clock.now()
        then, at = self._asked
        return then + timedelta(seconds=self._clock.monotonic() - at)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    async def open(self) -> None:
        """Ask before anything depends on it."""
        await self.measure()

    async def run(self, stop: Stop) -> None:
        """Ask again and again."""
        while not stop.asked:
            await rest(REST_SECONDS, clock=self._clock, stop=stop)
            if not stop.asked:
                await self.measure()

    async def measure(self) -> None:
        """Ask the database some times, and believe the answer that came fastest."""
        if self._database.is_sqlite:
            return
        answers: list[tuple[float, datetime, float]] = []
        async with self._database.reading() as connection:
            for _ in range(MEASURES):
                before = self._clock.monotonic()
                there = (await connection.execute(_NOW)).scalar_one()
                took = self._clock.monotonic() - before
                # It looked half way between being asked and being heard.
                answers.append((took, there, before + took / 2))
        _, then, at = min(answers)
        present = then + timedelta(seconds=self._clock.monotonic() - at)
        if self._asked is None or abs(present - self.now()) >= TRIFLE:
            self._asked = then, at
        skew = present - self._clock.now()
        self._skew.set(skew.total_seconds())
        if abs(skew) >= NOTICED:
            seconds = skew.total_seconds()
            log.warning("clock differs from the database's", extra={"seconds": seconds})


_NOW = sa.text("SELECT clock_timestamp()")
