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
    """Pages through a stream by offset; `limit` and `most_bytes` are what one answer holds.

    An answer that would be too heavy ends early: its top tells that there is more.
    """

    def __init__(self, streams: Streams, *, limit: int, most_bytes: int) -> None:
        self._streams = streams
        self._limit = limit
        self._most_bytes = most_bytes

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
        ends = page.publications[:1], page.publications[-1:]
        newest = max((each.offset for end in ends for each in end), default=0)
        found = _fitting(page.publications, self._most_bytes)
        result = HistoryResult(found, top.epoch, max(top.offset, newest))
        if since is not None and limit and not request.reverse:
            _demand_whole(page.publications, since.offset, result.offset)
        return result


def _fitting(found: Sequence[Publication], most_bytes: int) -> tuple[Publication, ...]:
    """As many as fit, and the first in any case."""
    room = most_bytes
    for number, publication in enumerate(found):
        room -= len(publication.data)
        if room < 0 and number:
            return tuple(found[:number])
    return tuple(found)


def _demand_whole(found: Sequence[Publication], since: int, top: int) -> None:
    """Decline a range whose beginning the stream holds no longer, or not yet."""
    first = found[0].offset if found else top + 1
    if first != since + 1:
        raise Declined(ErrorCode.UNRECOVERABLE_POSITION)
