"""A channel's stream, read for clients: history by the protocol's rules."""

from collections.abc import Sequence

from kernel.bus import Publication, StreamPosition
from messaging.extras import value_of
from messaging.ports import Streams
from messaging.protocol import values
from messaging.protocol.codes import ErrorCode
from messaging.protocol.requests import HistoryRequest
from messaging.protocol.results import HistoryResult
from messaging.refusals import Declined


class History:
    """Pages through a stream by offset; `limit` is the most that one answer holds."""

    def __init__(self, streams: Streams, *, limit: int) -> None:
        self._streams = streams
        self._limit = limit

    async def read(self, request: HistoryRequest) -> HistoryResult:
        """What was asked for, with the stream's top. Whoever asks may listen to the channel.

        Declines a channel without a stream, another epoch, and a forward range that the
        stream no longer holds.
        """
        top = (await self._streams.tops([request.channel])).get(request.channel)
        if top is None:
            raise Declined(ErrorCode.NOT_AVAILABLE)
        since = request.since
        if since is not None and since.epoch not in ("", top.epoch):
            raise Declined(ErrorCode.UNRECOVERABLE_POSITION)
        limit = self._limit if request.limit < 0 else min(request.limit, self._limit)
        found: Sequence[Publication] = []
        if limit:
            if request.reverse:
                before = None if since is None or not since.offset else since.offset
                found = await self._streams.before(request.channel, offset=before, limit=limit)
            else:
                found = await self._forward(request.channel, top, since, limit)
        publications = tuple(map(value_of, found))
        newest = max((each.offset for each in publications), default=0)
        return HistoryResult(publications, top.epoch, max(top.offset, newest))

    async def _forward(
        self, channel: str, top: StreamPosition, since: values.StreamPosition | None, limit: int
    ) -> Sequence[Publication]:
        offset = since.offset if since is not None else 0
        if offset > top.offset:
            raise Declined(ErrorCode.UNRECOVERABLE_POSITION)
        found = await self._streams.since(channel, offset=offset, limit=limit)
        whole = (
            found[0].position == StreamPosition(offset + 1, top.epoch)
            if found
            else offset == top.offset
        )
        if since is not None and not whole:
            raise Declined(ErrorCode.UNRECOVERABLE_POSITION)
        return found
