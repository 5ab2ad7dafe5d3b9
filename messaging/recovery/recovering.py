"""From a client's position to what it missed: out of the channel's tail, or read from its log."""

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.bus import Publication, StreamPosition
from kernel.metrics import Metrics
from messaging.delivery.live import TAIL, LiveChannel
from messaging.hub import Hub
from messaging.ports import Streams
from messaging.recovery.flights import Flights
from messaging.recovery.recovery import RecoveryOptions, is_whole, missed

ROUNDS = 3
"""How often a log is read for one recovery while its channel runs ahead."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a client missed after `since`, up to some place: the channel's tail has the rest."""

    since: StreamPosition
    found: Sequence[Publication]


class Recoveries:
    """In two steps: `gather` may wait, and `complete` says in one turn what was missed until now.

    Everybody who asks for the same part of a log at the same time shares one reading of it, and
    leaves what was read in the channel's tail: a storm of clients reads each log about once.
    """

    def __init__(
        self, *, hub: Hub, streams: Streams, metrics: Metrics, options: RecoveryOptions
    ) -> None:
        self._hub = hub
        self._streams = streams
        self._options = options
        self._flights: Flights[tuple[str, int], Sequence[Publication]] = Flights()
        self._outcomes = metrics.counter(
            "messaging_recoveries_total", "Clients that came back with a position.", ["outcome"]
        )
        self._reads = metrics.counter(
            "messaging_log_reads_total", "Reads of a channel's log.", ["cause"]
        ).labels("recovery")

    async def gather(self, live: LiveChannel, since: StreamPosition) -> Gathered | None:
        """Have at hand what was missed; None if it cannot be given."""
        for _ in range(ROUNDS):
            if live.ordering is None:
                return None
            if since.offset > live.ordering.offset and since.epoch in ("", live.ordering.epoch):
                # The client was with a node that is ahead of this one.
                await self._read(live, live.ordering.offset)
            if missed(since, live.ordering.position, options=self._options) is None:
                return None
            if live.tail_since(since.offset) is not None:
                return Gathered(since, ())
            # Who missed little reads as far back as the tail reaches: the others find it there.
            offset = min(since.offset, max(0, live.ordering.offset - TAIL))
            gathered = Gathered(since, await self._read(live, offset))
            if _together(live, gathered) is not None:
                return gathered
        return None

    def complete(
        self, live: LiveChannel, gathered: Gathered | None
    ) -> Sequence[Publication] | None:
        """All publications after the client's position up to where the channel is, or None."""
        whole = None
        if gathered is not None and live.ordering is not None:
            top = live.ordering.position
            found = _together(live, gathered)
            fits = missed(gathered.since, top, options=self._options) is not None
            if found is not None and fits:
                since = gathered.since.offset
                if is_whole(found, since=since, top=top, options=self._options):
                    whole = found
        self._outcomes.labels("whole" if whole is not None else "lost").inc()
        return whole

    async def _read(self, live: LiveChannel, offset: int) -> Sequence[Publication]:
        """Read the log, and let the channel know what it did not know yet."""
        found = await self._flights.join((live.name, offset), lambda: self._since(live, offset))
        assert live.ordering is not None
        for publication in found:
            if publication.position is not None and (
                publication.position.offset > live.ordering.offset
            ):
                self._hub.hear(live, publication)
        return found

    async def _since(self, live: LiveChannel, offset: int) -> Sequence[Publication]:
        self._reads.inc()
        limit = max(self._options.publications, TAIL) + 1
        found = await self._streams.since(live.name, offset=offset, limit=limit)
        # Before anybody can begin another reading of the same.
        live.deepen(found)
        return found


def _together(live: LiveChannel, gathered: Gathered) -> list[Publication] | None:
    """What was read and what the tail has, up to where the channel is; None if both fall short."""
    assert live.ordering is not None
    top, last = live.ordering.offset, gathered.since.offset
    read = [
        each
        for each in gathered.found
        if each.position is not None and last < each.position.offset <= top
    ]
    if read:
        assert read[-1].position is not None
        last = read[-1].position.offset
    tail = live.tail_since(last)
    return None if tail is None else [*read, *tail]
