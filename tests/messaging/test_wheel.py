"""Deadlines of all connections on one wheel."""

import math

from messaging.connections.departures import Batch, Departures, Wire
from messaging.connections.wheel import GRAIN, TimerWheel
from messaging.protocol.json_codec import JSON
from tests.support.clock import ManualClock


class Watched(Wire):
    """Notes when it was asked, and says when to ask again."""

    def __init__(self, again: list[float | None]) -> None:
        super().__init__(JSON, Departures())
        self.asked: list[float] = []
        self.again = again

    def tick(self, now: float) -> float | None:
        self.asked.append(now)
        return self.again.pop(0)

    def deliver(self, batch: Batch) -> None: ...
    def depart(self) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def give_up(self) -> None: ...


async def test_a_wire_is_asked_at_its_time_and_not_before(clock: ManualClock):
    wheel, wire = TimerWheel(clock=clock), Watched([None])
    wheel.by(wire, clock.monotonic() + 10)

    clock.move(seconds=9.9)
    await wheel.step()
    assert wire.asked == []

    clock.move(seconds=0.1 + GRAIN)
    await wheel.step()
    assert len(wire.asked) == 1


async def test_a_wire_says_when_to_be_asked_again(clock: ManualClock):
    start = clock.monotonic()
    wheel, wire = TimerWheel(clock=clock), Watched([start + 5, start + 7, None])
    wheel.by(wire, start + 1)

    for _ in range(40):
        clock.move(seconds=GRAIN)
        await wheel.step()

    assert [math.floor(at - start) for at in wire.asked] == [1, 5, 7]


async def test_an_earlier_deadline_counts_and_a_later_one_waits_for_its_turn(clock: ManualClock):
    start = clock.monotonic()
    wheel, wire = TimerWheel(clock=clock), Watched([None])
    wheel.by(wire, start + 20)
    wheel.by(wire, start + 2)
    wheel.by(wire, start + 30)

    clock.move(seconds=2 + GRAIN)
    await wheel.step()
    clock.move(seconds=60)
    await wheel.step()

    assert len(wire.asked) == 1


async def test_a_forgotten_wire_is_not_asked(clock: ManualClock):
    wheel, wire = TimerWheel(clock=clock), Watched([])
    wheel.by(wire, clock.monotonic() + 1)
    wheel.forget(wire)
    wheel.forget(wire)

    clock.move(seconds=5)
    await wheel.step()

    assert wire.asked == []


async def test_a_deadline_in_the_past_is_asked_at_the_next_turn(clock: ManualClock):
    wheel, wire = TimerWheel(clock=clock), Watched([None])
    clock.move(seconds=5)
    await wheel.step()
    wheel.by(wire, clock.monotonic() - 3)

    clock.move(seconds=GRAIN)
    await wheel.step()

    assert len(wire.asked) == 1


async def test_a_turn_that_comes_late_leaves_the_asking_to_the_next(clock: ManualClock):
    wheel, wire = TimerWheel(clock=clock), Watched([None])
    wheel.by(wire, clock.monotonic() + 1)

    clock.move(seconds=10)
    await wheel.step()
    assert wire.asked == []

    clock.move(seconds=10)
    await wheel.step()
    assert len(wire.asked) == 1


async def test_infinity_is_never(clock: ManualClock):
    wheel, wire = TimerWheel(clock=clock), Watched([])
    wheel.by(wire, math.inf)

    clock.move(hours=1)
    await wheel.step()

    assert wire.asked == []
