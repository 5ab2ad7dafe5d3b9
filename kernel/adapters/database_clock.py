"""The machine's clock, set right by the database's: nodes whose clocks differ agree on now."""

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
"""What is less is the way to the database and back, and not corrected."""


class DatabaseClock:
    """As the database's clock, since the last time it was asked. A file has no clock of its own:
    on SQLite this is the machine's."""

    name = "clock"

    def __init__(self, clock: Clock, database: Database, metrics: Metrics) -> None:
        self._clock = clock
        self._database = database
        self._offset = timedelta(0)
        self._skew = metrics.gauge(
            "kernel_clock_skew_seconds", "How far the database's clock is ahead of this machine's."
        )

    def now(self) -> datetime:
        return self._clock.now() + self._offset

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

    async def measure(self) -> timedelta:
        """How far the database is ahead, as the fastest of some answers says."""
        if self._database.is_sqlite:
            return self._offset
        answers: list[tuple[timedelta, timedelta]] = []
        async with self._database.reading() as connection:
            for _ in range(MEASURES):
                before = self._clock.now()
                there = (await connection.execute(_NOW)).scalar_one()
                took = self._clock.now() - before
                # It was asked half way between.
                answers.append((took, there - before - took / 2))
        skew = min(answers)[1]
        self._skew.set(skew.total_seconds())
        if abs(skew) >= NOTICED:
            log.warning(
                "clock differs from the database's", extra={"seconds": skew.total_seconds()}
            )
        self._offset = skew if abs(skew) >= TRIFLE else timedelta(0)
        return self._offset


_NOW = sa.text("SELECT clock_timestamp()")
