"""Pulses that are felt in other processes."""

import asyncio

from kernel.adapters.bus_wakes import BusWakes
from kernel.adapters.memory_bus import MemoryBus
from kernel.errors import Unavailable
from kernel.waking import Waking
from kernel.workers import Pulse, Stop
from tests.support.metrics import value_of


class Mute:
    """Nothing can be said."""

    async def say(self, words):
        raise Unavailable("Nobody is there.")


async def test_a_pulse_of_one_process_beats_in_the_others_and_not_at_home(clock, metrics):
    wakes, here, there = BusWakes(MemoryBus()), Pulse(), Pulse()
    one = Waking(wakes, node_id="one", clock=clock, metrics=metrics)
    other = Waking(wakes, node_id="other", clock=clock, metrics=metrics)
    one.feel("plan", here)
    other.feel("plan", there)
    stop = Stop()
    running = [asyncio.create_task(each.run(stop)) for each in (one, other)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    one.beyond("plan").beat()
    one.beyond("what a later release knows").beat()

    await there.wait()
    assert value_of(metrics, "kernel_wakes_total", worker="plan", way="called") == 1
    assert value_of(metrics, "kernel_wakes_total", worker="plan", way="heard") == 1
    stop.ask()
    await asyncio.gather(*running)


async def test_what_cannot_be_said_is_lost_and_disturbs_nobody(clock, metrics):
    waking = Waking(Mute(), node_id="one", clock=clock, metrics=metrics)

    waking.beyond("plan").beat()
    waking.beyond("plan").beat()

    assert await waking.step() == 1
    assert await waking.step() == 0
    assert value_of(metrics, "kernel_wakes_total", worker="plan", way="lost") == 1
