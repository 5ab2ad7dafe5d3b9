"""One channel as its listener sees it: in order, once, without gaps."""

import asyncio
from collections.abc import Callable, Sequence

from messaging.protocol.codes import DisconnectCode, ProtocolViolation
from messaging.protocol.results import SubscribeResult
from messaging.protocol.values import Publication, StreamPosition

Heard = Callable[[str, Publication], None]
"""Is told of every publication of a channel, in order and once."""


class FollowedChannel:
    """A channel that is followed over however many connections, and how far it was heard.

    When a server does not recover what was missed, that is read from history; what comes live
    meanwhile waits. Raises `ProtocolViolation` for a gap or a repetition.
    """

    def __init__(self, name: str, *, heard: Heard, since: StreamPosition | None) -> None:
        self.name = name
        self.position = since
        self.failures = 0
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard = heard
        self._live_from = 0
        """While history is read: the offset after which the live part begins."""
        self._held: list[Publication] = []

    def restart(self) -> None:
        """It is subscribed anew; what was under way is of no more use."""
        self._live_from = 0
        self._held.clear()

    def begin(self, result: SubscribeResult) -> bool:
        """The subscription is on. Whether history has to be read for what was missed."""
        self.failures = 0
        if self.position is None:
            self.position = StreamPosition(result.offset, result.epoch)
        if result.epoch != self.position.epoch:
            before, self.position = self.position, StreamPosition(result.offset, result.epoch)
            raise _broken(f"{self.name!r} was in epoch {before.epoch}, now in {result.epoch}")
        for publication in result.publications:
            self._hear(publication)
        if not self.subscribed.done():
            self.subscribed.set_result(None)
        if result.recovered or result.offset <= self.position.offset:
            return False
        self._live_from = result.offset
        return True

    def take(self, publication: Publication) -> None:
        """A publication came live."""
        if self._live_from:
            self._held.append(publication)
        else:
            self._hear(publication)

    def fill(self, publications: Sequence[Publication]) -> bool:
        """A page of history came. Whether more has to be read."""
        assert self.position is not None
        for publication in publications:
            if publication.offset <= self._live_from:
                self._hear(publication)
        if self.position.offset < self._live_from:
            if not publications:
                raise _broken(f"the history of {self.name!r} ends at {self.position.offset}")
            return True
        held, self._held, self._live_from = self._held, [], 0
        for publication in held:
            self._hear(publication)
        return False

    def _hear(self, publication: Publication) -> None:
        assert self.position is not None
        if publication.offset:
            if publication.offset != self.position.offset + 1:
                raise _broken(
                    f"{self.name!r} went from {self.position.offset} to {publication.offset}"
                )
            self.position = StreamPosition(publication.offset, self.position.epoch)
        self._heard(self.name, publication)


def _broken(reason: str) -> ProtocolViolation:
    return ProtocolViolation(DisconnectCode.INSUFFICIENT_STATE, reason)
