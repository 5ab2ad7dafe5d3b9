"""Setting up a subscription: may they, where is the channel, what did they miss."""

from collections.abc import Sequence

from kernel.bus import Publication, StreamPosition
from kernel.metrics import Metrics
from messaging.access import Access, Answer
from messaging.connection import Connection
from messaging.flights import Flights
from messaging.following import Following
from messaging.hub import Hub
from messaging.live import LiveChannel
from messaging.ports import Streams
from messaging.protocol import values
from messaging.protocol.codes import ErrorCode
from messaging.protocol.frames import Command
from messaging.protocol.requests import SubscribeRequest
from messaging.protocol.results import SubscribeResult
from messaging.recovery import RecoveryOptions, is_whole, missed
from messaging.refusals import Declined

ROUNDS = 3
"""How often a log is read for one recovery while its channel runs ahead."""


class Subscriptions:
    """Reserves, asks, follows, recovers, answers and joins; the last two in one turn."""

    def __init__(
        self,
        *,
        hub: Hub,
        following: Following,
        access: Access,
        streams: Streams,
        metrics: Metrics,
        options: RecoveryOptions,
    ) -> None:
        self._hub = hub
        self._following = following
        self._access = access
        self._streams = streams
        self._options = options
        self._flights: Flights[tuple[str, int], Sequence[Publication]] = Flights()
        self._recoveries = metrics.counter(
            "messaging_recoveries_total", "Clients that came back with a position.", ["outcome"]
        )

    async def subscribe(
        self, connection: Connection, command: Command, request: SubscribeRequest
    ) -> None:
        """Answer a subscribe and let the channel's publications follow.

        Raises `Declined` or `Unavailable`, and then nothing of the subscription is left.
        """
        self._hub.reserve(connection, request.channel)
        joined = False
        try:
            await self.admit(connection, request.channel)
            live = await self._following.open(request.channel)
            result = await self._result(live, request)
            if request.channel not in (connection.subscriptions or ()):
                raise Declined(ErrorCode.PERMISSION_DENIED)
            self._hub.join(live, connection, lambda: connection.reply(command, result))
            joined = True
        finally:
            if not joined:
                self._hub.quit(connection, request.channel)

    async def admit(self, connection: Connection, channel: str) -> None:
        """Refuse unless the connection's user may listen to the channel."""
        assert connection.principal is not None
        answer = await self._access.may_listen(connection.principal.user, channel)
        if answer is Answer.UNKNOWN:
            raise Declined(ErrorCode.UNKNOWN_CHANNEL)
        if answer is Answer.DENIED:
            raise Declined(ErrorCode.PERMISSION_DENIED)

    async def _result(self, live: LiveChannel, request: SubscribeRequest) -> SubscribeResult:
        """The answer, valid until the next turn of the event loop."""
        recovered: Sequence[Publication] | None = None
        if request.recover:
            since = StreamPosition(request.offset, request.epoch)
            recovered = await self._missed(live, since)
            self._recoveries.labels("whole" if recovered is not None else "lost").inc()
            if recovered is None and request.rejects_unrecovered:
                raise Declined(ErrorCode.UNRECOVERABLE_POSITION)
        if live.ordering is None:
            return SubscribeResult(was_recovering=request.recover)
        top = live.ordering.position
        return SubscribeResult(
            recoverable=True,
            positioned=True,
            epoch=top.epoch,
            # Clients count up from the offset they asked for as they take what they missed.
            offset=top.offset if recovered is None else request.offset,
            publications=tuple(
                values.Publication(data=each.data, offset=each.position.offset)
                for each in recovered or ()
                if each.position is not None
            ),
            recovered=recovered is not None,
            was_recovering=request.recover,
        )

    async def _missed(
        self, live: LiveChannel, since: StreamPosition
    ) -> Sequence[Publication] | None:
        """All publications after `since` up to where the channel is, or None."""
        if live.ordering is None:
            return None
        for _ in range(ROUNDS):
            if since.offset > live.ordering.offset and since.epoch in ("", live.ordering.epoch):
                # The client was with a node that is ahead of this one.
                await self._read(live, live.ordering.offset)
            if missed(since, live.ordering.position, options=self._options) is None:
                return None
            found = live.tail_since(since.offset)
            if found is None:
                found = self._completed(live, await self._read(live, since.offset))
            if found is not None:
                top = live.ordering.position
                whole = is_whole(found, since=since.offset, top=top, options=self._options)
                return found if whole else None
        return None

    async def _read(self, live: LiveChannel, offset: int) -> Sequence[Publication]:
        """Read the log, and let the channel know what it did not know yet."""
        limit = self._options.publications + 1
        found = await self._flights.join(
            (live.name, offset),
            lambda: self._streams.since(live.name, offset=offset, limit=limit),
        )
        assert live.ordering is not None
        for publication in found:
            if publication.position is not None and (
                publication.position.offset > live.ordering.offset
            ):
                self._hub.hear(live, publication)
        return found

    @staticmethod
    def _completed(live: LiveChannel, found: Sequence[Publication]) -> list[Publication] | None:
        """What was read, up to exactly where the channel is; None if it is too far ahead."""
        assert live.ordering is not None
        top = live.ordering.offset
        upto = [each for each in found if each.position is not None and each.position.offset <= top]
        if not upto:
            return upto
        assert upto[-1].position is not None
        tail = live.tail_since(upto[-1].position.offset)
        return None if tail is None else [*upto, *tail]
