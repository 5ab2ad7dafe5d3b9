"""Lets an operator watch a user or a channel on all nodes, for a while."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

from kernel.bus import Bus, Gap, Publication
from kernel.clock import Clock
from kernel.errors import InvalidInput, Unavailable
from kernel.identity import Principal
from kernel.ids import UserId, is_user_id
from messaging.channels.names import CHANNEL_BYTES
from messaging.delivery.extras import Attendance, Extra, read
from messaging.errors import TooManyTraces
from messaging.tracing.events import EventKind, TraceEvent, shown_text
from messaging.tracing.news import Begin, End, Seen, news_of, to_all

audit = logging.getLogger("messaging.audit")

AT_ONCE = 8
"""Traces that may be watched at one node."""

KEEP_ALIVE = 2.0
"""Seconds between words to the nodes that somebody still looks."""

WAITING = 5000
"""Events that wait for whoever watches; more are dropped."""

_Queue = asyncio.Queue[TraceEvent]


class Tracing:
    """Begins traces on all nodes, gathers what they see, and ends them."""

    def __init__(self, *, node_id: str, bus: Bus, clock: Clock) -> None:
        self._node_id = node_id
        self._bus = bus
        self._clock = clock
        self._open: dict[str, _Queue] = {}
        self._leaving: Callable[[], bool] | None = None

    def serve(self, *, leaving: Callable[[], bool]) -> None:
        """There are connections here; `leaving` says when the node is about to end."""
        self._leaving = leaving

    def take(self, publication: Publication) -> None:
        """Take news from this node's own channel, if they are about traces."""
        news = news_of(publication)
        if isinstance(news, Seen) and news.trace in self._open:
            for event in news.events:
                self._show(self._open[news.trace], event)

    def watch(
        self, *, user_id: UserId | None, channel: str, seconds: float, by: Principal
    ) -> AsyncIterator[TraceEvent]:
        """What happens from now on, for so many seconds. Ends earlier when the node leaves.

        Raises `InvalidInput` unless either a user or a channel is named, and `TooManyTraces`.
        """
        if self._leaving is None:
            raise Unavailable("This process holds no connections.")
        if (user_id is None) is (not channel):
            raise InvalidInput("user_id", "or channel must be given, and not both")
        if user_id is not None and not is_user_id(user_id):
            raise InvalidInput(
                "user_id", "must be 1 to 128 bytes of printable characters without white space"
            )
        if len(channel.encode("utf-8", "surrogatepass")) > CHANNEL_BYTES or "\0" in channel:
            raise InvalidInput("channel", f"must be text of 1 to {CHANNEL_BYTES} bytes")
        if len(self._open) >= AT_ONCE:
            raise TooManyTraces("Too many traces are being watched.", limit=AT_ONCE)
        begin = Begin(
            trace=uuid4().hex, asker=self._node_id, user_id=user_id or "", channel=channel
        )
        audit.info(
            "trace begun",
            extra={"user_id": user_id, "channel": channel, "seconds": seconds, "by": by.key_id},
        )
        return self._watch(begin, seconds, self._leaving)

    async def _watch(
        self, begin: Begin, seconds: float, leaving: Callable[[], bool]
    ) -> AsyncIterator[TraceEvent]:
        queue = self._open[begin.trace] = asyncio.Queue(WAITING)
        try:
            async with AsyncExitStack() as opened:
                if begin.channel:
                    await opened.enter_async_context(self._listening(begin.channel, queue))
                until = self._clock.monotonic() + seconds
                while (left := until - self._clock.monotonic()) > 0 and not leaving():
                    self._bus.publish([to_all(begin)])
                    async for event in self._arriving(queue, min(left, KEEP_ALIVE)):
                        yield event
            yield self._event(EventKind.ENDED)
        except Unavailable as error:
            yield self._event(EventKind.ENDED, reason=error.message)
        finally:
            del self._open[begin.trace]
            self._bus.publish([to_all(End(trace=begin.trace))])
            audit.info("trace ended", extra={"trace": begin.trace})

    async def _arriving(self, queue: _Queue, seconds: float) -> AsyncIterator[TraceEvent]:
        """What comes within so many seconds."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    event = await queue.get()
            except TimeoutError:
                return
            yield event

    @asynccontextmanager
    async def _listening(self, channel: str, queue: _Queue) -> AsyncIterator[None]:
        """Hear what goes through a channel, whether or not anybody is subscribed."""
        async with self._bus.listen() as listener:
            await listener.follow(frozenset([channel]))

            async def hear() -> None:
                async for news in listener:
                    for item in news:
                        self._show(queue, self._heard(item))

            hearing = asyncio.create_task(hear(), name="trace")
            try:
                yield
            finally:
                hearing.cancel()
                await asyncio.wait({hearing})

    def _heard(self, item: Publication | Gap) -> TraceEvent:
        if isinstance(item, Gap):
            return self._event(EventKind.GAP)
        extra: Extra = read(item.extra)
        info = extra.info
        more: dict[str, Any] = {"channel": item.channel}
        if info is not None:
            more.update(user_id=info.user, client=info.client)
        if extra.attendance is not None:
            joins = extra.attendance is Attendance.JOIN
            return self._event(EventKind.JOIN if joins else EventKind.LEAVE, **more)
        offset = item.position.offset if item.position is not None else 0
        more.update(offset=offset, **shown_text(item.data))
        return self._event(EventKind.PUBLICATION, **more)

    def _show(self, queue: _Queue, event: TraceEvent) -> None:
        if queue.full():
            # Whoever watches reads too slowly; the newest are those to see.
            queue.get_nowait()
        queue.put_nowait(event)

    def _event(self, kind: EventKind, **more: Any) -> TraceEvent:
        return TraceEvent(at=self._clock.now(), node=self._node_id, kind=kind, **more)
