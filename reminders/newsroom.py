"""The newsroom: tells the screens on which an event is open what changed in it."""

from collections.abc import Sequence

import msgspec

from kernel.errors import InvalidInput
from kernel.outbox import Claimed, Entry
from reminders.news import EVENT_CHANGED, EventNews
from reminders.outside import Live


class Newsroom:
    """The relay's handler: after the commit, everybody who looks at the event is told."""

    def __init__(self, *, live: Live) -> None:
        self._live = live

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """Publish the news of a batch, in order; who left hears nothing more."""
        then: list[Entry] = []
        for entry in entries:
            news = msgspec.json.decode(entry.payload, type=EventNews)
            then += [self._live.leaving(news.event_id, each) for each in news.left]
            try:
                await self._tell(news)
            except InvalidInput:
                # Longer than the operator lets publications be: then it is less.
                short = EventNews(event_id=news.event_id, version=news.version, all=True)
                await self._tell(short)
        return then

    async def _tell(self, news: EventNews) -> None:
        said = {"kind": EVENT_CHANGED, **msgspec.to_builtins(news)}
        said.pop("left", None)
        await self._live.tell_event(news.event_id, msgspec.json.encode(said), key=str(news.version))
