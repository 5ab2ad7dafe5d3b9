"""One channel that this node follows: where it is in its stream, and who listens."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import inf

from kernel.bus import Publication, StreamPosition
from messaging.connections.connection import Connection
from messaging.connections.departures import Departures
from messaging.delivery.deltas import DeltaFanout
from messaging.delivery.extras import Attendance, Extra, read
from messaging.delivery.fanout import Fanout
from messaging.delivery.ordering import Ordering
from messaging.protocol import values
from messaging.protocol.events import Join, Leave
from messaging.protocol.frames import Push
from messaging.types import Retention

TAIL = 128
TAIL_BYTES = 65_536
"""How much of a followed channel's stream is kept, so that most who return need no database."""
READ_SECONDS = 5.0
"""How long what was read from a log that keeps nothing for ever is given without reading again:
nobody says when it was published."""


class LiveChannel:
    """Everybody who listens here has been sent everything up to `ordering.position`.

    That is why a new listener needs no queue of its own: it is given what it missed up to that
    position and joins the others, in one turn of the event loop.
    """

    __slots__ = (
        "_curious", "_deltas", "_departures", "_fanout", "_kept", "_lasting", "_now", "_tail",
        "_tail_bytes", "_tail_until",
        "idle_since", "listeners", "name", "ordering", "ready", "told",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        departures: Departures,
        *,
        kept: Retention | None = None,
        now: Callable[[], float],
    ) -> None:
        self.name = name
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the bus is followed and the top of the stream is known."""
        self.ordering: Ordering | None = None
        """None until then, and for ever when the channel has no stream."""
        self.told = 0
        """The highest offset that was heard of before that."""
        self.idle_since: float | None = None
        self.listeners: dict[Connection, None] = {}
        self._departures = departures
        self._fanout = Fanout(departures)
        self._deltas: DeltaFanout | None = None
        """Nothing, and no work, until somebody asks for deltas."""
        self._curious: Fanout | None = None
        """Those who are told who comes and goes."""
        self._kept = TAIL if kept is None else min(kept.size, TAIL)
        """What the log does not keep, the tail does not either."""
        self._lasting = inf if kept is None else kept.seconds
        self._now = now
        self._tail_until = inf if kept is None else 0.0
        self._tail: deque[Publication] = deque()
        self._tail_bytes = 0

    @property
    def behind(self) -> bool:
        """Whether the log has something that has not gone out."""
        return self.ordering is not None and self.ordering.behind

    def begin(self, position: StreamPosition | None) -> None:
        """The stream ends at `position`; what comes after it goes out."""
        if position is not None:
            self.ordering = Ordering(position)
            self.ordering.heard_of(self.told)
        if not self.ready.done():
            self.ready.set_result(None)

    @property
    def deltas(self) -> DeltaFanout:
        """Those who are sent what changed from one publication to the next."""
        if self._deltas is None:
            self._deltas = DeltaFanout(self.name, self._departures)
        return self._deltas

    def add(
        self, connection: Connection, *, delta: bool = False, hears_attendance: bool = False
    ) -> None:
        """From now on `connection` is sent what goes out, with `delta` what changed in it."""
        self.listeners[connection] = None
        if delta:
            self.deltas.add(connection.wire)
        else:
            self._fanout.add(connection.wire)
        if hears_attendance:
            if self._curious is None:
                self._curious = Fanout(self._departures)
            self._curious.add(connection.wire)
        self.idle_since = None

    def discard(self, connection: Connection, *, now: float) -> None:
        """Nothing more is sent to `connection`."""
        if connection in self.listeners:
            del self.listeners[connection]
            self._fanout.discard(connection.wire)
            if self._deltas is not None:
                self._deltas.discard(connection.wire)
            if self._curious is not None:
                self._curious.discard(connection.wire)
            if not self.listeners:
                self.idle_since = now

    def hear(self, publication: Publication) -> int:
        """Take a publication of this channel's epoch; how many went out because of it."""
        position = publication.position
        if position is None:
            self._send(publication, 0)
            return 1
        if self.ordering is None:
            self.told = max(self.told, position.offset)
            return 0
        due = self.ordering.take(publication)
        for each in due:
            assert each.position is not None
            self._keep(each)
            self._send(each, each.position.offset)
        return len(due)

    def tail_since(self, offset: int) -> list[Publication] | None:
        """What went out after `offset`, if all of it is still at hand."""
        assert self.ordering is not None, "a channel without a stream has no tail"
        if self._now() >= self._tail_until:
            self.forget_tail()
        missing = self.ordering.offset - offset
        if missing > len(self._tail):
            return None
        if missing <= 0:
            return []
        return list(self._tail)[-missing:]

    def deepen(self, found: Sequence[Publication]) -> None:
        """Keep what was read from the log before the tail, as far back as there is room."""
        assert self.ordering is not None, "a channel without a stream has no tail"
        if found:
            self._last_for(min(self._lasting, READ_SECONDS))
        for each in reversed(found):
            assert each.position is not None
            wanted = self.ordering.offset - len(self._tail)
            if each.position.offset > wanted:
                continue
            size = self._tail_bytes + len(each.data)
            if each.position.offset < wanted or len(self._tail) >= self._kept or size > TAIL_BYTES:
                return
            self._tail.appendleft(each)
            self._tail_bytes = size

    def forget_tail(self) -> None:
        """What went out so far is not given to anybody again."""
        self._tail.clear()
        self._tail_bytes = 0

    def _send(self, publication: Publication, offset: int) -> None:
        if not publication.extra:
            for codec in self._fanout.codecs:
                encoded = codec.encode_publication(self.name, publication.data, offset=offset)
                self._fanout.send(codec, encoded)
            if self._deltas is not None and len(self._deltas):
                self._deltas.send(values.Publication(publication.data, offset=offset))
            return
        extra = read(publication.extra)
        if extra.attendance is not None:
            self._tell(extra)
            return
        full = values.Publication(publication.data, extra.info, offset, extra.tags)
        push = Push(full, self.name)
        for codec in self._fanout.codecs:
            self._fanout.send(codec, codec.encode_push(push))
        if self._deltas is not None and len(self._deltas):
            self._deltas.send(full)

    def _tell(self, extra: Extra) -> None:
        """Tell those who asked for it that somebody came or went."""
        if self._curious is None or extra.by is None:
            return
        happened = Join if extra.attendance is Attendance.JOIN else Leave
        push = Push(happened(extra.by.as_value()), self.name)
        for codec in self._curious.codecs:
            self._curious.send(codec, codec.encode_push(push))

    def _last_for(self, seconds: float) -> None:
        """Give what is kept for so long at least; what was over before is not kept any more."""
        if self._tail_until != inf:
            now = self._now()
            if now >= self._tail_until:
                self.forget_tail()
            self._tail_until = max(self._tail_until, now + seconds)

    def _keep(self, publication: Publication) -> None:
        self._last_for(self._lasting)
        self._tail.append(publication)
        self._tail_bytes += len(publication.data)
        while len(self._tail) > self._kept or self._tail_bytes > TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft().data)

    def __iter__(self) -> Iterator[Connection]:
        """Who listens, safe against those who leave meanwhile."""
        return iter(list(self.listeners))
