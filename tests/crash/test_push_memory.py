"""A dispatcher's memory stays flat, however many pushes it has sent and however many wait."""

import gc
import os
import tracemalloc
from datetime import timedelta

import pytest

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.pushes import PushState
from notifications.types import AddressKind, Outcome, Verdict
from tests.support.factories_notifications import Room, planned, registration
from tests.support.many_devices import devices_at
from tests.support.providers import ACCEPTED, FakeProvider

pytestmark = [pytest.mark.crash, pytest.mark.timeout(4000)]

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
PUSHES = 1_000_000 if SOAK else 1500
AT_ONCE = 500
GROWTH = 150_000
"""Bytes that may be more after all of them than after the first few: caches that fill, and no
trace of a push. A hundred bytes for each push of the short form would be too much."""


class ForgetfulProvider(FakeProvider):
    """Accepts most and refuses some, and keeps nothing of them."""

    async def send(self, attempts):
        return [
            Outcome(Verdict.TOKEN_SUSPECT, "SENDER_ID_MISMATCH")
            if each.push_id.int % 50 == 0
            else ACCEPTED
            for each in attempts
        ]


async def test_what_was_sent_leaves_nothing_in_memory(sqlite_database, clock, metrics):
    room = Room(sqlite_database, clock, metrics)
    told = [(UserId(f"user-{n}"), AddressKind.FCM_TOKEN, f"token-{n}") for n in range(AT_ONCE)]
    devices = await devices_at(sqlite_database, told, like=registration(), clock=clock)
    dispatcher = room.dispatcher(ForgetfulProvider())

    async def send() -> None:
        """A push to each device; what was settled is pruned, as upkeep does in time."""
        later = clock.now() + timedelta(hours=1)
        plans = [
            planned(each, urgency=Urgency.TRANSACTIONAL, now=clock.now(), expires_at=later)
            for each in devices
        ]
        await room.pushes.plan([each for each, _ in plans], [push for _, push in plans])
        while await dispatcher.step():
            pass
        clock.move(days=8)
        await room.upkeep.step()

    await send()
    assert PushState.QUEUED not in await room.states()
    await send()
    tracemalloc.start()
    try:
        await send()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(PUSHES // AT_ONCE):
            await send()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert after - before < GROWTH
