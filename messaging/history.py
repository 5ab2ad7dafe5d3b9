"""A channel's stream, read for clients: history by the protocol's rules."""

from collections.abc import Sequence

from messaging.ports import Streams
from messaging.protocol.codes import ErrorCode
from messaging.protocol.requests import HistoryRequest
from messaging.protocol.results import HistoryResult
from messaging.protocol.values import Publication
from messaging.refusals import Declined

NEWEST = 2**63 - 1
"""No offset is greater: databases cannot even compare with one."""


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
        since = request.since
        limit = self._limit if request.limit < 0 else min(request.limit, self._limit)
        beyond = min(since.offset, NEWEST) if since is not None else 0
        if request.reverse and not beyond:
            beyond = NEWEST
        page = await self._streams.page(
            request.channel, beyond=beyond, limit=limit, backwards=request.reverse
        )
        if page is None:
            raise Declined(ErrorCode.NOT_AVAILABLE)
        top = page.top
        if since is not None and since.epoch not in ("", top.epoch):
            raise Declined(ErrorCode.UNRECOVERABLE_POSITION)
        newest = max((each.offset for each in page.publications), default=0)
        result = HistoryResult(tuple(page.publications), top.epoch, max(top.offset, newest))
        if since is not None and limit and not request.reverse:
            _demand_whole(page.publications, since.offset, result.offset)
        return result


def _demand_whole(found: Sequence[Publication], since: int, top: int) -> None:
    """Decline a range whose beginning the stream holds no longer, or not yet."""
    first = found[0].offset if found else top + 1
    if first != since + 1:
        raise Declined(ErrorCode.UNRECOVERABLE_POSITION)
