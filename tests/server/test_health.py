"""What load balancers are told, and that asking costs little."""

import asyncio

import pytest

from kernel.errors import Unavailable
from server import health
from server.health import FRESH_FOR, Health


class Checked:
    """A check that counts how often it was asked."""

    def __init__(self, says="", error=None):
        self.says = says
        self.error = error
        self.asked = 0

    async def __call__(self):
        self.asked += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.says


async def test_a_node_is_ready_when_nothing_complains(clock):
    found = await Health({"a": Checked(), "b": Checked()}, clock=clock).readiness()

    assert found.ready
    assert found.as_json()["checks"] == {"a": "ok", "b": "ok"}


async def test_each_complaint_is_told(clock):
    checks = {"a": Checked("tired"), "b": Checked(error=Unavailable("away")), "c": Checked()}

    found = await Health(checks, clock=clock).readiness()

    assert not found.ready
    assert found.as_json()["checks"] == {"a": "tired", "b": "away", "c": "ok"}


async def test_however_many_ask_each_check_is_asked_once_a_second(clock):
    check = Checked()
    health = Health({"a": check}, clock=clock)

    await asyncio.gather(*(health.readiness() for _ in range(50)))
    assert check.asked == 1

    clock.move(seconds=FRESH_FOR)
    await health.readiness()
    assert check.asked == 2


async def test_what_came_back_is_seen_the_next_second(clock):
    check = Checked("away")
    health = Health({"a": check}, clock=clock)
    assert not (await health.readiness()).ready

    check.says = ""
    clock.move(seconds=FRESH_FOR)

    assert (await health.readiness()).ready


async def test_a_check_that_hangs_has_failed(clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "PATIENCE", 0.01)

    async def hang():
        await asyncio.Event().wait()

    found = await Health({"a": hang, "b": Checked()}, clock=clock).readiness()

    assert found.checks == {"a": "no answer within 0.01 seconds", "b": ""}
