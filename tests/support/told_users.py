"""Users with a phone each who are told something, and what becomes of their pushes."""

import asyncio

from kernel.ids import UserId
from tests.support.factories_notifications import notice, registration


async def crowd(room, number, *, prefix="user", key="n1", **changes):
    """A notice to that many users with one phone each."""
    users = [UserId(f"{prefix}-{each}") for each in range(number)]
    for each, user_id in enumerate(users):
        told = registration(
            installation_id=f"{prefix}-phone-{each}", address=f"{prefix}-token-{each}"
        )
        await room.register(user_id, told)
    await room.tell(notice(*users, key=key, **changes))


async def until(ask, state, number):
    """Look again and again until so many pushes are in a state."""
    for _ in range(2000):
        if (await ask()).get(state, 0) >= number:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"there never were {number} pushes {state}")
