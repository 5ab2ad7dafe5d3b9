"""An operator finds a dead push and has it tried again: a running house, asked by the command."""

import asyncio
from datetime import timedelta
from pathlib import Path

from kernel.adapters.database import Database, DatabaseOptions
from kernel.clock import SystemClock
from notifications.adapters.push_rows import PUSHES
from notifications.pushes import Push, PushState
from tests.flows.test_operators import zaffa
from tests.support.factories_notifications import AMINA, Room, planned, registration
from tests.support.running import PATIENCE, RunningHouse


async def test_a_dead_push_is_found_and_tried_again(tmp_path: Path, metrics):
    async with RunningHouse.start(tmp_path) as house:
        database = Database(DatabaseOptions(url=house.environment()["ZAFFA_DATABASE_URL"]))
        room = Room(database, SystemClock(), metrics)
        push = await died(room)

        [line] = await zaffa(house, "push", "dead", "list", "--route", "fcm")
        said = await zaffa(house, "push", "dead", "show", str(push.id))
        redriven = await zaffa(house, "push", "dead", "redrive", str(push.id))

        assert line.startswith(str(push.id))
        assert line.endswith("UNAVAILABLE")
        assert any(push.content.body in each for each in said)
        assert redriven == ["1 pushes wait again"]
        async with asyncio.timeout(PATIENCE):
            while await room.states() != {PushState.ACCEPTED: 1}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await zaffa(house, "push", "dead", "list") == []
        await database.close()


async def died(room: Room) -> Push:
    """A push that nobody could hand over."""
    now = room.clock.now()
    device = await room.register(AMINA, registration(address="phone" + "x" * 140))
    notification, push = planned(device, now=now, expires_at=now + timedelta(hours=1))
    await room.pushes.plan([notification], [push])
    dying = {"state": PushState.DEAD, "reason": "UNAVAILABLE", "settled_at": now}
    async with room.database.transaction() as connection:
        await connection.execute(PUSHES.update().values(**dying))
    return push
