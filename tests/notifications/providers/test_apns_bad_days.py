"""A campaign on APNs' worst days: nothing hangs, no slot is lost, and nothing comes twice."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.adapters.apns import ApnsOptions
from notifications.pushes import FINAL, PushState
from notifications.types import AddressKind, Verdict
from tests.support.factories_notifications import Room, agree, apns, planned
from tests.support.many_devices import devices_at
from tests.support.sandbox import attempt, open_apns
from tests.support.scripted_apns import ScriptedConnection, scripted_apns

DEVICES, AT_ONCE = 300, 50
GONE = (b'{"reason":"Unreg', b'istered","timestamp":1772000000123}')


class BadDay:
    """Limits that flap, GOAWAY in mid-batch, silence, resets, and answers in pieces.

    `looked_at` counts how often APNs has looked at a push: more than once, and it came twice.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._gone: dict[ScriptedConnection, int] = {}
        self.looked_at: Counter[str] = Counter()

    def __call__(self, connection: ScriptedConnection, stream: int) -> None:
        if stream > self._gone.get(connection, stream):
            return  # It was told that nobody looks at these any more.
        loop, chance = asyncio.get_running_loop(), self._dice.random()
        if chance < 0.02 and connection not in self._gone:
            self._gone[connection] = stream - 2
            connection.go_away(last_stream=stream - 2)
            return
        if chance < 0.05:
            connection.reset(stream, ErrorCodes.REFUSED_STREAM)
            return
        self.looked_at[connection.headers[stream]["apns-id"]] += 1
        if chance < 0.07:
            return  # It was looked at, and nobody says what came of it.
        if chance < 0.15:
            connection.allow(1)
            loop.call_later(0.02, unless_closed, lambda: connection.allow(1000))
        status, bodies = (410, GONE) if chance > 0.95 else (200, ())
        later = self._dice.uniform(0.0, 0.02)
        loop.call_later(later, unless_closed, lambda: connection.answer(stream, status, *bodies))


def unless_closed(do: Callable[[], None]) -> None:
    with suppress(ProtocolError):
        do()


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_apns_does_a_campaign_ends_and_comes_to_nobody_twice(
    sqlite_database, credentials, clock, metrics, seed
):
    room, day = Room(sqlite_database, clock, metrics), BadDay(random.Random(seed))
    told = [(UserId(f"user-{n}"), AddressKind.APNS, f"{n:064x}") for n in range(DEVICES)]
    await agree(sqlite_database, [user for user, _, _ in told], now=clock.now())
    devices = await devices_at(sqlite_database, told, like=apns(), clock=clock)
    plans = [planned(each, urgency=Urgency.MARKETING, now=clock.now()) for each in devices]
    await room.pushes.plan([each for each, _ in plans], [push for _, push in plans])

    async with scripted_apns(credentials, day) as server:
        options = ApnsOptions(
            key_file=str(credentials.apns_key),
            key_id=credentials.key_id,
            team_id=credentials.team_id,
            topic=credentials.topic,
            production=server.address,
            ca_file=str(credentials.authority),
            deadline=1.0,
            connect_within=1.0,
        )
        async with open_apns(options, clock=clock) as provider:
            dispatcher = room.dispatcher(provider, marketing_width=AT_ONCE)
            while set(await room.states()) - FINAL:
                await dispatcher.step()
                clock.move(seconds=60)
            states = await room.states()
            free = await answered_together(provider, server, clock)

    assert sum(states.values()) == DEVICES
    assert set(states) <= {PushState.ACCEPTED, PushState.REJECTED, PushState.AMBIGUOUS}
    assert states[PushState.ACCEPTED] > DEVICES // 2
    assert max(day.looked_at.values()) == 1
    # As many as ever are under way at once: no stream was lost to what went wrong.
    assert free == [Verdict.ACCEPTED] * AT_ONCE


async def answered_together(provider, server, clock):
    """What comes of pushes that are answered once all of them are under way."""
    waiting: list[tuple[ScriptedConnection, int]] = []

    def together(connection: ScriptedConnection, stream: int) -> None:
        waiting.append((connection, stream))
        if len(waiting) == AT_ONCE:
            for each, number in waiting:
                each.answer(number)

    server.script = together
    pushes = [
        attempt(AddressKind.APNS, now=clock.now(), urgency=Urgency.MARKETING)
        for _ in range(AT_ONCE)
    ]
    return [outcome.verdict for outcome in await provider.send(pushes)]
