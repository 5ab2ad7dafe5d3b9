"""The channels of one client: subscribed on every connection, filled from history if need be."""

import asyncio
from collections.abc import Callable, Mapping

from kernel.backoff import Backoff
from messaging.protocol import events, results
from messaging.protocol.frames import Push, Result
from messaging.protocol.results import Error
from messaging.protocol.values import Publication, StreamPosition
from server.live_channel import FollowedChannel, Heard
from server.live_line import Line, Refused

PAGE = 300
"""Publications asked for at once when a server no longer recovers what was missed."""

RESUBSCRIBE = 2500
"""Unsubscribe codes from here on ask the client to subscribe again at once."""

Dismissed = Callable[[str, Refused], None]
"""Is told of a channel that the server ended for good."""


class FollowedChannels:
    """Follows channels over however many connections, one after the other.

    A channel that the server ends for good is forgotten. Whoever waits for it is told, or else
    `dismissed` is; without that, `Refused` is raised to whoever runs the client.
    """

    def __init__(
        self, *, heard: Heard, backoff: Backoff, dismissed: Dismissed | None, deltas: bool
    ) -> None:
        self._heard = heard
        self._deltas = deltas
        self._backoff = backoff
        self._dismissed = dismissed
        self._channels: dict[str, FollowedChannel] = {}
        self._line: Line | None = None

    def positions(self) -> Mapping[str, StreamPosition]:
        """How far each channel was heard."""
        return {
            each.name: each.position
            for each in self._channels.values()
            if each.position is not None
        }

    def follow(self, channel: str, since: StreamPosition | None) -> "asyncio.Future[None]":
        """Follow a channel; done once it is subscribed."""
        followed = FollowedChannel(channel, heard=self._heard, since=since)
        self._channels[channel] = followed
        self._subscribe(followed)
        return followed.subscribed

    def forget(self, channel: str) -> StreamPosition | None:
        """Follow a channel no more; how far it was heard."""
        followed = self._channels.pop(channel, None)
        if followed is None:
            return None
        followed.subscribed.cancel()
        return followed.position

    def connected(self, line: Line | None) -> None:
        """There is a new connection, on which all is subscribed, or none any more."""
        self._line = line
        for followed in self._channels.values():
            self._subscribe(followed)

    def close(self) -> None:
        """Nobody follows anything any more."""
        for followed in self._channels.values():
            followed.subscribed.cancel()

    # --- from the connection ---------------------------------------------------------------------

    def subscribed(self, channel: str, result: Result | Error) -> None:
        """A subscribe was answered."""
        followed = self._channels.get(channel)
        if followed is None:
            return
        if isinstance(result, Error):
            if result.temporary:
                self._later(followed, self._subscribe)
            else:
                self._ended(followed, Refused(result.code, result.message))
            return
        assert isinstance(result, results.SubscribeResult)
        if followed.begin(result):
            self._fill(followed)

    def filled(self, channel: str, result: Result | Error) -> None:
        """A page of history came."""
        followed = self._channels.get(channel)
        if followed is None:
            return
        if isinstance(result, Error):
            if result.temporary:
                self._later(followed, self._fill)
            else:
                self._ended(followed, Refused(result.code, result.message))
            return
        assert isinstance(result, results.HistoryResult)
        if followed.fill(result.publications):
            self._fill(followed)

    def pushed(self, push: Push) -> None:
        """The server said something by itself."""
        followed = self._channels.get(push.channel)
        if followed is None:
            return
        match push.event:
            case Publication() as publication:
                followed.take(publication)
            case events.Unsubscribe(code=code, reason=reason):
                if code < RESUBSCRIBE:
                    self._ended(followed, Refused(code, reason))
                else:
                    self._subscribe(followed)
            case _:
                pass

    # --- to the connection -----------------------------------------------------------------------

    def _subscribe(self, followed: FollowedChannel) -> None:
        if self._line is not None and self._channels.get(followed.name) is followed:
            followed.restart()
            if followed.position is not None:
                self._line.protocol.positions[followed.name] = followed.position
            else:
                self._line.protocol.positions.pop(followed.name, None)
            self._line.protocol.subscribe(followed.name, delta=self._deltas)
            self._line.wake()

    def _fill(self, followed: FollowedChannel) -> None:
        if self._line is not None and self._channels.get(followed.name) is followed:
            self._line.protocol.history(followed.name, limit=PAGE, since=followed.position)
            self._line.wake()

    def _later(self, followed: FollowedChannel, act: Callable[[FollowedChannel], None]) -> None:
        followed.failures += 1
        line = self._line

        def still() -> None:
            if line is self._line:
                act(followed)

        asyncio.get_running_loop().call_later(self._backoff.delay(followed.failures), still)

    def _ended(self, followed: FollowedChannel, why: Refused) -> None:
        del self._channels[followed.name]
        if not followed.subscribed.done():
            followed.subscribed.set_exception(why)
        elif self._dismissed is not None:
            self._dismissed(followed.name, why)
        else:
            raise why
