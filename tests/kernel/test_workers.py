import asyncio

import pytest

from kernel.workers import Pulse, Stop, repeat, rest


@pytest.fixture
def stop():
    return Stop()


class Steps:
    """Does `work` things, one a step, and counts its steps."""

    def __init__(self, work=0):
        self.work = work
        self.count = 0

    async def step(self):
        self.count += 1
        if not self.work:
            return 0
        self.work -= 1
        return 1


@pytest.fixture
async def repeating(clock, stop):
    """Steps that are repeated in the background until the test ends."""
    steps, pulse = Steps(work=3), Pulse()
    task = asyncio.create_task(repeat(steps.step, clock=clock, stop=stop, idle=5.0, pulse=pulse))
    yield steps, pulse, task
    stop.ask()
    await task


async def test_while_there_is_work_there_is_no_rest(repeating, clock):
    steps, _, _ = repeating

    await clock.asleep()

    assert steps.count == 4


async def test_after_a_rest_it_looks_again(repeating, clock):
    steps, _, _ = repeating
    await clock.asleep()

    clock.move(seconds=5)
    await clock.asleep()

    assert steps.count == 5


async def test_a_pulse_ends_a_rest_early(repeating, clock):
    steps, pulse, _ = repeating
    await clock.asleep()
    steps.work = 1

    pulse.beat()
    while steps.count < 6:
        await clock.sleep(0)
    await clock.asleep()

    assert steps.work == 0


async def test_a_pulse_during_a_step_is_not_lost(clock, stop):
    pulse, steps = Pulse(), 0

    async def step():
        nonlocal steps
        steps += 1
        if steps == 1:
            pulse.beat()
        else:
            stop.ask()
        return 0

    await repeat(step, clock=clock, stop=stop, idle=5.0, pulse=pulse)

    assert steps == 2


async def test_stopping_ends_a_rest(repeating, clock, stop):
    _, _, task = repeating
    await clock.asleep()

    stop.ask()

    await task


async def test_stopping_lets_the_step_under_way_finish(clock, stop):
    finished = False

    async def step():
        nonlocal finished
        stop.ask()
        await clock.sleep(0)
        finished = True
        return 1

    await repeat(step, clock=clock, stop=stop, idle=5.0)

    assert finished


async def test_who_was_stopped_before_takes_no_step(clock, stop):
    stop.ask()
    steps = Steps(work=1)

    await repeat(steps.step, clock=clock, stop=stop, idle=5.0)

    assert steps.count == 0


async def test_a_failing_step_ends_it(clock, stop):
    async def step():
        raise LookupError

    with pytest.raises(LookupError):
        await repeat(step, clock=clock, stop=stop, idle=5.0)


async def test_a_cancelled_rest_leaves_nothing_behind(clock, stop):
    before = asyncio.all_tasks()
    resting = asyncio.create_task(rest(5.0, clock=clock, stop=stop, pulse=Pulse()))
    await clock.asleep()

    resting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await resting

    assert asyncio.all_tasks() == before
