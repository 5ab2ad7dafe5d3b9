"""A few HTTP/2 connections to one place of a provider, for any number of pushes."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from kernel.backoff import Backoff
from notifications.adapters.http2_connection import Http2Connection, Line
from notifications.adapters.http2_exchange import Exchange, Request
from notifications.adapters.http2_proxy import tunnel
from notifications.types import Outcome, Verdict
from notifications.vitals import Vitals

_BACKOFF = Backoff(first=0.5, cap=30.0, floor=0.1)


class Http2Pool:
    """Spreads requests over its connections. One request is sent at most once, ever.

    What does not fit waits here, in order, for a stream, until its deadline; nobody polls.
    """

    def __init__(
        self,
        *,
        address: tuple[str, int],
        line: Line,
        tls: ssl.SSLContext,
        size: int,
        deadline: float,
        connect_within: float,
        proxy: str = "",
    ) -> None:
        self.live: list[Http2Connection] = []
        self._loop = asyncio.get_running_loop()
        self._address = address
        self._line = line
        self._tls = tls
        self._size = size
        self._deadline = deadline
        self._connect_within = connect_within
        self._proxy = proxy
        self._waiting: deque[Exchange] = deque()
        self._deadlines: deque[Exchange] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._drained = 0
        self._failures = 0
        self._pause_until = 0.0
        self._why = ""
        self._closed = False

    def submit(self, request: Request, tell: Callable[[Outcome], None]) -> Exchange:
        """Send it as soon as there is a stream; `tell` hears its outcome by the deadline."""
        exchange = Exchange(request, tell, self._loop.time() + self._deadline)
        self._waiting.append(exchange)
        while self._deadlines and self._deadlines[0].settled:
            self._deadlines.popleft()
        self._deadlines.append(exchange)
        if self._timer is None:
            self._timer = self._loop.call_later(self._deadline, self._look_at_deadlines)
        return exchange

    @property
    def vitals(self) -> Vitals:
        """How its connections are now."""
        return Vitals(
            connections=len(self.live),
            slots=sum(connection.slots for connection in self.live),
            waiting=len(self._waiting),
            drained=self._drained,
        )

    @property
    def host(self) -> str:
        return self._address[0]

    @property
    def remembered(self) -> int:
        """Exchanges that are still known here, settled or not."""
        return len(self._deadlines)

    def pump(self) -> None:
        """Write what waits to the connections that have room; connect when none has."""
        while self._waiting:
            first = self._waiting[0]
            if first.settled or first.abandoned:
                self._waiting.popleft()
                continue
            connection = self._roomiest(first.request.body)
            if connection is None:
                self._grow()
                return
            connection.write(self._waiting.popleft())

    async def shut(self) -> None:
        """Close; what still waits was not sent, what is under way nobody knows."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        self._fail_waiting("closed")
        for connection in list(self.live):
            connection.close()
        self.live.clear()

    def _roomiest(self, body: bytes) -> Http2Connection | None:
        best: Http2Connection | None = None
        for connection in self.live:
            if connection.is_busy or not connection.has_room_for(body):
                continue
            if best is None or connection.under_way < best.under_way:
                best = connection
        return best

    def _grow(self) -> None:
        usable = [connection for connection in self.live if not connection.draining]
        if self._closed or self._connecting is not None or len(usable) >= self._size:
            return
        if self._loop.time() < self._pause_until:
            if not usable:
                self._fail_waiting(self._why)
            return
        self._connecting = self._loop.create_task(self._connect(), name=f"http2:{self._address[0]}")

    async def _connect(self) -> None:
        server, port = self._address
        try:
            async with asyncio.timeout(self._connect_within):
                if self._proxy:
                    through = await tunnel(self._proxy, server, port)
                    _, connection = await self._loop.create_connection(
                        self._connection, sock=through, ssl=self._tls, server_hostname=server
                    )
                else:
                    _, connection = await self._loop.create_connection(
                        self._connection, server, port, ssl=self._tls
                    )
        except (OSError, TimeoutError, UnicodeError) as problem:
            # UnicodeError: a host name that no name server could ever be asked for.
            self._connecting = None
            self._pause(f"connect: {type(problem).__name__}: {problem}".rstrip(": "))
            return
        self._connecting = None
        self.live.append(connection)
        if connection.lost:
            self._discard(connection)
        self.pump()

    def _connection(self) -> Http2Connection:
        return Http2Connection(
            self._line,
            on_lost=self._discard,
            on_progress=self.pump,
            on_answer=self._answered,
        )

    def _discard(self, connection: Http2Connection) -> None:
        if connection not in self.live:
            return  # Lost while it was being opened; `_connect` sees to it.
        self.live.remove(connection)
        self._drained += connection.draining and not connection.retired
        if not connection.answered and not connection.retired:
            self._pause("the peer closes connections without an answer")
        self.pump()

    def _pause(self, why: str) -> None:
        """Do not hammer: wait before the next connection, and let nothing wait for it."""
        self._failures += 1
        self._pause_until = self._loop.time() + _BACKOFF.delay(self._failures)
        self._why = why
        if not any(not connection.draining for connection in self.live):
            self._fail_waiting(why)

    def _fail_waiting(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, deque()
        pause = max(self._pause_until - self._loop.time(), 0.0) or None
        for exchange in waiting:
            exchange.settle(Outcome(Verdict.NOT_SENT, reason, retry_after=pause))

    def _answered(self) -> None:
        self._failures = 0

    def _look_at_deadlines(self) -> None:
        """One timer for all: deadlines come due in the order of submission."""
        now, due = self._loop.time(), list[Exchange]()
        while self._deadlines and (
            self._deadlines[0].settled or self._deadlines[0].deadline <= now
        ):
            exchange = self._deadlines.popleft()
            if not exchange.settled:
                due.append(exchange)
        # Those that wait go first, or a stream freed by another's end would send them now.
        for exchange in due:
            if not exchange.stream:
                exchange.settle(Outcome(Verdict.NOT_SENT, "no free stream within the deadline"))
        for exchange in due:
            for connection in self.live:
                if connection.holds(exchange):
                    connection.give_up(exchange)
                    break
        self._timer = None
        if self._deadlines:
            left = self._deadlines[0].deadline - now
            self._timer = self._loop.call_later(left, self._look_at_deadlines)
