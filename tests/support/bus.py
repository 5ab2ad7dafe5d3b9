"""Hearing what a bus carries."""

import asyncio

from kernel.bus import Gap, Listener, Publication


async def heard(
    listener: Listener, count: int = 1, *, within: float = 10.0
) -> list[Publication | Gap]:
    """The next `count` things, or more if they came together; `TimeoutError` if they do not."""
    things: list[Publication | Gap] = []
    async with asyncio.timeout(within):
        async for arrived in listener:
            things += arrived
            if len(things) >= count:
                return things
    raise AssertionError("the listener ended")
