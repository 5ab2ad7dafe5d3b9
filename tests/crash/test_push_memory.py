"""A dispatcher's memory stays flat, however many pushes it has sent."""

import gc
import logging
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.adapters.sql_devices import DEVICES
from notifications.ports import unheard
from notifications.pushes import PushState
from notifications.types import AddressKind, Outcome, ThrottleScope, Verdict
from tests.support.factories_notifications import Room, planned, registration
from tests.support.many_devices import devices_at
from tests.support.providers import ACCEPTED, FakeProvider

pytestmark = [pytest.mark.crash, pytest.mark.timeout(4000)]

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
PUSHES = 1_000_000 if SOAK else 3000
AT_ONCE = 2000 if SOAK else 500
TOLD_EVERY = 50_000
BLOCKS = AT_ONCE // 5
"""By which most rounds may add to what is held: a trace of each fifth push would be too much.
Single rounds fill caches."""

RESIDENT = 32_000_000
"""Bytes of its own that the process may have more after all of them than after the first tenth:
what is no Python object must not grow either, once SQLite's and the allocator's own are filled."""


ANSWERS = {
    1: Outcome(Verdict.TOKEN_SUSPECT, "SENDER_ID_MISMATCH"),
    2: Outcome(Verdict.TOKEN_GONE, "UNREGISTERED"),
    3: Outcome(Verdict.REJECTED, "INVALID_ARGUMENT"),
    4: Outcome(Verdict.FAILED, "UNAVAILABLE"),
    5: Outcome(Verdict.THROTTLED, "QUOTA_EXCEEDED", scope=ThrottleScope.DEVICE),
    6: Outcome(Verdict.AMBIGUOUS, "timeout"),
    7: Outcome(Verdict.NOT_SENT, "connect"),
}
"""What some are answered, of a hundred each. All others are accepted."""


class ForgetfulProvider(FakeProvider):
    """Keeps nothing of what it was sent but how much it was."""

    asked = 0

    async def send(self, attempts, *, landed=unheard):
        self.asked += len(attempts)
        outcomes = [ANSWERS.get(each.push_id.int % 100, ACCEPTED) for each in attempts]
        for number, outcome in enumerate(outcomes):
            landed(number, outcome)
        return outcomes


def blocks() -> int:
    """Blocks of memory that Python's objects hold. Tracing each would take four times as long."""
    gc.collect()
    return sys.getallocatedblocks()


def resident() -> int:
    """Bytes of memory that are this process's own: none of files."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024


@pytest.fixture
def unlogged() -> Iterator[None]:
    """pytest keeps every line that is logged, until the test has ended."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("unlogged")
async def test_what_was_sent_leaves_nothing_in_memory(sqlite_database, clock, metrics):
    room, provider = Room(sqlite_database, clock, metrics), ForgetfulProvider()
    told = [(UserId(f"user-{n}"), AddressKind.FCM_TOKEN, f"token-{n}") for n in range(AT_ONCE)]
    devices = await devices_at(sqlite_database, told, like=registration(), clock=clock)
    dispatcher = room.dispatcher(provider, transactional_width=AT_ONCE)

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
        async with sqlite_database.transaction() as connection:
            # Everybody opened the app meanwhile, those too whose address was given up.
            await connection.execute(
                DEVICES.update().values(disabled_at=None, confirmed_at=clock.now())
            )

    await send()
    assert PushState.QUEUED not in await room.states()
    for _ in range(4):
        await send()
    held, resident_before, began = [blocks()], resident(), time.monotonic()
    warm, asked_before = resident_before, provider.asked
    for sent in range(AT_ONCE, PUSHES + 1, AT_ONCE):
        await send()
        held.append(blocks())
        if sent <= PUSHES // 10:
            warm = resident()
        if sent % TOLD_EVERY == 0:
            print(
                f"{sent} pushes in {time.monotonic() - began:.0f} s: {held[-1] - held[0]} blocks "
                f"and {(resident() - resident_before) / 1e6:.1f} MB more than at first",
                flush=True,
            )

    assert provider.asked - asked_before >= PUSHES
    assert statistics.median(after - before for before, after in pairwise(held)) < BLOCKS
    if SOAK:
        assert held[-1] - held[0] < PUSHES // 100
    assert resident() - warm < RESIDENT
