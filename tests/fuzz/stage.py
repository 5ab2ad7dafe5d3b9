"""A node with everything but a network: connections over transports that a fuzzer holds."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import msgspec

from kernel.adapters.database import Database
from kernel.operations import AnyOperation
from kernel.workers import Stop
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.connections.departures import WireOptions
from messaging.connections.wheel import GRAIN
from messaging.protocol.codec import ClientCodec
from tests.fuzz.talks import PipeTalk, SocketTalk, Talk
from tests.support.clock import ManualClock
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.rawsocket import raw_websocket
from tests.support.realtime import Node, channel_of, serving

MESSAGE_BYTES = 16_384
BACKLOG_BYTES = 65_536

# Words for what is known only when a stage is set, of the same length: Protobuf counts bytes.
TOKEN, FORGED = (name.ljust(101, "_") for name in ("$TOKEN", "$FORGED"))
SHORT, STALE = (name.ljust(124, "_") for name in ("$SHORT", "$STALE"))
TICKET = "$TICKET".ljust(128, "_")
CHANNEL, CONVERSATION = "$CHANNEL".ljust(49, "_"), "$CONVERSATION".ljust(36, "_")


PASSING = ChannelOptions(
    allow_subscribe_for_client=True,
    allow_publish_for_client=True,
    allow_presence_for_client=True,
    presence=True,
    join_leave=True,
    allowed_delta_types=("fossil",),
)
OPEN = msgspec.structs.replace(
    PASSING,
    allow_history_for_client=True,
    history_size=20,
    history_ttl="10m",
    allow_positioning=True,
    allow_recovery=True,
)
"""Namespaces in which everything may be done."""


class Stage:
    """A node whose connections have no network, and what went wrong behind their backs."""

    def __init__(self, database: Database, operations: Sequence[AnyOperation] = ()) -> None:
        self.clock = ManualClock()
        self.complaints: list[str] = []
        self._words: dict[str, Callable[[], str]] = {}
        self._sockets: AsyncExitStack | None = None
        self.node = Node(
            database,
            clock=self.clock,
            wire_options=WireOptions(
                message_bytes=MESSAGE_BYTES, backlog_bytes=BACKLOG_BYTES, close_seconds=1
            ),
            channel_settings=ChannelSettings(
                namespaces={"open": OPEN, "passing": PASSING}, subscribe_to_personal=True
            ),
            more_operations=operations,
        )

    @asynccontextmanager
    async def running(self, *, sockets: bool = False) -> AsyncIterator[Self]:
        """Follow the bus, and have a conversation that `AMINA` is a member of."""
        async with self._running(), AsyncExitStack() as stack:
            if sockets:
                await stack.enter_async_context(serving(self.node, workers=[]))
                self._sockets = await stack.enter_async_context(AsyncExitStack())
            yield self

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        node, stop = self.node, Stop()
        hub = asyncio.create_task(node.hub.run(stop))
        await node.until(lambda: node.following._listener)
        there = await node.conversation(AMINA, KARIM)
        other = "another secret, as long as the first one"
        self._words = {
            TOKEN: lambda: node.token(AMINA),
            SHORT: lambda: node.token(AMINA, seconds=60),
            STALE: lambda: node.token(AMINA, seconds=-60),
            TICKET: lambda: node.token(AMINA, channel="$open:1"),
            FORGED: lambda: node.token(AMINA, secret=other),
            CHANNEL: lambda: channel_of(there),
            CONVERSATION: lambda: str(there.id),
        }
        loop, log, handler = asyncio.get_running_loop(), logging.getLogger(), _Errors(self)
        loop.set_exception_handler(lambda _, context: self.complaints.append(str(context)))
        log.addHandler(handler)
        try:
            yield
        finally:
            log.removeHandler(handler)
            loop.set_exception_handler(None)
            stop.ask()
            await hub
            await node.store.close()

    def spoken(self, text: bytes) -> bytes:
        """What a client says, with the words of this stage in it."""
        if b"$" in text:
            for word, meaning in self._words.items():
                if word.encode() in text:
                    said = meaning()
                    assert len(said) == len(word), (word, len(said))
                    text = text.replace(word.encode(), said.encode())
        return text

    async def pass_time(self, seconds: float) -> None:
        """Let the clock go on, and whatever is due happen."""
        for _ in range(round(seconds / GRAIN)):
            self.clock.move(seconds=GRAIN)
            await self.node.wheel.step()
        await asyncio.sleep(0)

    async def talk(self, codec: ClientCodec) -> Talk:
        """A new connection on which nothing was said."""
        if self._sockets is None:
            return PipeTalk(self.node, codec)
        client = await self._sockets.enter_async_context(
            raw_websocket(self.node.port, Sec_WebSocket_Protocol=codec.subprotocol)
        )
        return SocketTalk(self.node, codec, client)

    async def until_nobody_is_there(self) -> None:
        """Wait until all connections are over; by then nothing may have gone wrong behind them."""
        await self.node.until(lambda: not self.node.hub.connections)
        if self._sockets is not None:
            await self._sockets.aclose()
        complaints, self.complaints = self.complaints, []
        assert not complaints, complaints


class _Errors(logging.Handler):
    """Nothing may be logged as an error, whatever a client says."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(logging.ERROR)
        self._stage = stage

    def emit(self, record: logging.LogRecord) -> None:
        self._stage.complaints.append(self.format(record))
