"""A shard changes hands on purpose: what the old primary still passes on comes first.

The old primary lives on as a replica, and a replica takes publications too: it passes them on
to its shard over the cluster's own connections, where our next words to the new primary may
overtake them (seen with Valkey 8, by 30 ms).
"""

import asyncio
from typing import Any
from uuid import uuid4

import hiredis

from kernel.adapters.redis_address import Endpoint
from kernel.adapters.redis_ear import SHARDED
from kernel.adapters.redis_wire import Dialer, Line, Refused, packed


async def passed_on(channel: bytes, old: Line, new: Endpoint, dialer: Dialer) -> None:
    """Return when all that `old` was told before has reached the channel's `new` primary.

    A mark follows the same way. Readers take it for what a later release sent, and skip it. An
    old primary that left the shard declines it; then nothing it was told comes late. Raises
    what ended a connection, and may wait for ever: the old primary need not reach the new one.
    """
    mark = b"0:%b" % uuid4().hex.encode()
    loop = asyncio.get_running_loop()
    listening: asyncio.Future[None] = loop.create_future()
    arrived: asyncio.Future[None] = loop.create_future()

    def took(reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            raise Refused(str(reply))
        if reply[0] == SHARDED.subscribe:
            listening.set_result(None)
        elif reply[2:] == [mark]:
            arrived.set_result(None)

    wire = await dialer.dial(new, took)
    ended: list[asyncio.Future[Any]] = [wire.ended]
    try:
        wire.send(SHARDED.subscribe, channel)
        await asyncio.wait([listening, *ended], return_when=asyncio.FIRST_COMPLETED)
        [answer] = await old.ask([packed(SHARDED.publish, channel, mark)])
        if not isinstance(answer, hiredis.ReplyError):
            await asyncio.wait([arrived, *ended], return_when=asyncio.FIRST_COMPLETED)
        if wire.ended.done():
            raise wire.ended.result()
    finally:
        wire.abort()
