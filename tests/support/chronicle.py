"""Writes down what clients saw of their channels, for the judge of channels."""

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import msgspec

from kernel.ids import UserId
from messaging.protocol import events, requests, results, values
from messaging.protocol.client import Answered
from messaging.protocol.frames import Push
from server.demo.channel_record import (
    ChannelRecord,
    Delivery,
    Heard,
    How,
    Membership,
    Reader,
    Session,
)
from server.demo.channel_verdict import problems_of
from server.live_client import Witness
from server.live_line import Line

Reading = Callable[[values.Publication], Delivery]
"""Takes a message out of a publication."""


class _Body(msgspec.Struct):
    text: str


class _Said(msgspec.Struct):
    sender_id: str
    idempotency_key: str
    body: _Body


_said = msgspec.json.Decoder(_Said)


def message_of(publication: values.Publication) -> Delivery:
    """A message of a conversation."""
    said = _said.decode(publication.data)
    return Delivery(publication.offset, said.idempotency_key, said.sender_id, said.body.text)


class Chronicle:
    """The records of all channels of a run, and what else was wrong."""

    def __init__(self, reading: Reading = message_of) -> None:
        self.records: dict[str, ChannelRecord] = defaultdict(
            lambda: ChannelRecord(memberships=defaultdict(list))
        )
        self.complaints: list[str] = []
        self._reading = reading
        self._readers: dict[tuple[UserId, str], Reader] = {}
        self._sessions: dict[tuple[Line, str], Session] = {}

    @staticmethod
    def now() -> float:
        """The instant that everything is written down with."""
        return time.monotonic()

    def problems(self, *, grace: float) -> list[str]:
        """What must not have been."""
        return [
            *self.complaints,
            *(
                f"{channel[-8:]}: {problem}"
                for channel, record in self.records.items()
                for problem in problems_of(record, grace=grace)
            ),
        ]

    # --- who is a member, and who reads ----------------------------------------------------------

    def joins(self, user: UserId, channel: str) -> None:
        """It is about to be asked that they become a member."""
        self._spans(user, channel).append(Membership(self.now()))

    def left(self, user: UserId, channel: str) -> None:
        """It was acknowledged that they are no member any more."""
        spans = self._spans(user, channel)
        spans[-1] = spans[-1]._replace(ends=self.now())

    def begins(self, user: UserId, channel: str) -> None:
        """They read the channel from now on."""
        self.ends(user, channel)
        reader = Reader(user)
        self._readers[user, channel] = reader
        self.records[channel].readers.append(reader)

    def ends(self, user: UserId, channel: str) -> None:
        """They read it no more."""
        reader = self._readers.pop((user, channel), None)
        if reader is not None:
            reader.stays = False

    def reached(self, user: UserId, channel: str) -> int:
        """The highest offset that a reader has."""
        reader = self._readers[user, channel]
        heard = [each for session in reader.sessions for each in session.heard] + reader.filled
        beginnings = [session.offset for session in reader.sessions]
        return max([*(each.delivery.offset for each in heard), *beginnings[:1]], default=-1)

    def reading(self, channel: str) -> list[UserId]:
        """Who reads a channel now."""
        return [user for user, name in self._readers if name == channel]

    # --- what servers say ------------------------------------------------------------------------

    def witness(self, user: UserId) -> Witness:
        """What one user's client is to tell everything to."""
        return partial(self._told, user)

    def _told(self, user: UserId, line: Line, said: Answered | Push) -> None:
        match said:
            case Push(event=values.Publication() as publication, channel=channel):
                self._pushed(user, line, channel, publication)
            case Push(event=events.Unsubscribe(), channel=channel):
                self._sessions.pop((line, channel), None)
            case Answered(
                request=requests.SubscribeRequest() as request,
                result=results.SubscribeResult() as result,
            ):
                self._subscribed(user, line, request, result)
            case Answered(
                request=requests.UnsubscribeRequest(channel=channel),
                result=results.UnsubscribeResult(),
            ):
                self._sessions.pop((line, channel), None)
            case Answered(
                request=requests.HistoryRequest(channel=channel),
                result=results.HistoryResult(publications=found),
            ):
                reader = self._readers.get((user, channel))
                if reader is not None:
                    reader.filled += [self._heard(each, How.HISTORY) for each in found]
            case _:
                pass

    def _subscribed(
        self,
        user: UserId,
        line: Line,
        request: requests.SubscribeRequest,
        result: results.SubscribeResult,
    ) -> None:
        reader = self._readers.get((user, request.channel))
        if reader is None:
            return
        session = Session(
            at=self.now(),
            epoch=result.epoch,
            offset=result.offset,
            since=request.offset if request.recover else None,
            recovered=result.recovered,
            heard=[self._heard(each, How.RECOVERED) for each in result.publications],
        )
        reader.sessions.append(session)
        self._sessions[line, request.channel] = session

    def _pushed(
        self, user: UserId, line: Line, channel: str, publication: values.Publication
    ) -> None:
        session = self._sessions.get((line, channel))
        if session is not None:
            session.heard.append(self._heard(publication, How.LIVE))
        elif (user, channel) in self._readers:
            self.complaints.append(f"{user} got offset {publication.offset} unasked")

    def _heard(self, publication: values.Publication, how: How) -> Heard:
        return Heard(self._reading(publication), self.now(), how)

    def _spans(self, user: UserId, channel: str) -> list[Membership]:
        memberships = self.records[channel].memberships
        assert memberships is not None
        return memberships[user]
