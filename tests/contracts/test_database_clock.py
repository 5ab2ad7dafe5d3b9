"""Nodes whose clocks differ agree on what the database's says."""

from datetime import UTC, datetime, timedelta

import pytest

from kernel.adapters.database_clock import DatabaseClock
from kernel.clock import SystemClock
from tests.support.metrics import value_of

pytestmark = pytest.mark.external


class Wrong(SystemClock):
    """A machine's clock that somebody set."""

    def __init__(self, by):
        self.by = by

    def now(self):
        return super().now() + self.by


@pytest.mark.parametrize("seconds", [-3, 0, 3, 3600])
async def test_a_wrong_clock_is_set_right(postgres_database, metrics, seconds):
    clock = DatabaseClock(Wrong(timedelta(seconds=seconds)), postgres_database, metrics)

    await clock.open()

    def truth():
        before = datetime.now(UTC)
        now = clock.now()
        return before - timedelta(seconds=1) <= now <= datetime.now(UTC) + timedelta(seconds=1)

    assert truth()
    assert abs(value_of(metrics, "kernel_clock_skew_seconds") + seconds) < 1


@pytest.mark.parametrize("hours", [-1, 1])
async def test_setting_the_machines_clock_makes_no_difference(postgres_database, metrics, hours):
    machine = Wrong(timedelta(0))
    clock = DatabaseClock(machine, postgres_database, metrics)
    await clock.open()
    before = clock.now()

    machine.by = timedelta(hours=hours)
    meanwhile = clock.now()
    await clock.measure()

    assert before <= meanwhile < before + timedelta(minutes=30)
    assert before <= clock.now() < before + timedelta(minutes=30)


async def test_a_file_has_no_clock_of_its_own(sqlite_database, metrics):
    machine = Wrong(timedelta(hours=3))
    clock = DatabaseClock(machine, sqlite_database, metrics)

    await clock.open()

    assert abs(clock.now() - machine.now()) < timedelta(minutes=1)
