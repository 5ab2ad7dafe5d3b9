import asyncio
from datetime import UTC, timedelta

import pytest

from kernel.clock import SystemClock


async def test_the_machines_time_is_aware_and_in_utc():
    assert SystemClock().now().tzinfo is UTC


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.02])
async def test_the_machines_clock_sleeps_as_long_as_it_is_told(seconds):
    clock = SystemClock()
    before = clock.monotonic()

    await clock.sleep(seconds)

    assert clock.monotonic() - before >= seconds * 0.9


async def test_a_manual_clock_stands_still_until_it_is_moved(clock):
    before = clock.now(), clock.monotonic()
    await asyncio.sleep(0.01)
    assert (clock.now(), clock.monotonic()) == before

    clock.move(minutes=1, seconds=0.5)

    assert clock.now() == before[0] + timedelta(seconds=60.5)
    assert clock.monotonic() == before[1] + 60.5


async def test_sleepers_of_a_manual_clock_wake_in_their_order(clock):
    woken = []

    async def sleep(seconds):
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as group:
        for seconds in (3, 1, 2, 0):
            group.create_task(sleep(seconds))
        await clock.asleep(3)
        await clock.sleep(0)
        assert woken == [0]
        clock.move(seconds=2)
        await clock.sleep(0)
        assert woken == [0, 1, 2]
        clock.move(seconds=1)
