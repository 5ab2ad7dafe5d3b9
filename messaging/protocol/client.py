"""The client's side of one connection: for tests, the command line, replay and load tools.

Stricter than the official clients: what a server must never do is a violation here, so that a
test which merely listens finds it.
"""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Final, NamedTuple

import msgspec

from messaging.protocol import events, fossil, requests, results
from messaging.protocol.codec import ClientCodec
from messaging.protocol.codes import DisconnectCode, ProtocolViolation
from messaging.protocol.frames import Answer, Command, Push, Reply, Request, Result
from messaging.protocol.results import ConnectResult, Error, SubscribeResult
from messaging.protocol.values import Publication, StreamPosition

WHOLE_BYTES: Final = 1_048_576
"""No publication that a delta makes is larger."""

_RESULTS: Final[Mapping[type[Request], type[Result]]] = {
    requests.ConnectRequest: results.ConnectResult,
    requests.SubscribeRequest: results.SubscribeResult,
    requests.UnsubscribeRequest: results.UnsubscribeResult,
    requests.PublishRequest: results.PublishResult,
    requests.PresenceRequest: results.PresenceResult,
    requests.PresenceStatsRequest: results.PresenceStatsResult,
    requests.HistoryRequest: results.HistoryResult,
    requests.PingRequest: results.PingResult,
    requests.RPCRequest: results.RPCResult,
    requests.RefreshRequest: results.RefreshResult,
    requests.SubRefreshRequest: results.SubRefreshResult,
}


class Answered(NamedTuple):
    """What became of a request."""

    id: int
    request: Request
    result: Result | Error


class ClientProtocol:
    """One connection, seen from the client.

    Every request returns its id and waits in `take_output`; requests may be made before the
    connect is answered. `positions` is how far each channel has been heard: give them to the
    protocol of the next connection, and it recovers from there.
    """

    def __init__(
        self, codec: ClientCodec, *, positions: Mapping[str, StreamPosition] | None = None
    ) -> None:
        self.codec = codec
        self.positions = dict(positions or {})
        self.channels: set[str] = set()
        self.session: ConnectResult | None = None
        self.disconnect: events.Disconnect | None = None
        self._before: dict[str, bytes | None] = {}
        """Of each channel with deltas, the payload that the next one is compared with."""
        self._ids = count(1)
        self._waiting: dict[int, Request] = {}
        self._output: list[bytes] = []

    # --- What a client asks for ---------------------------------------------------------------

    def connect(
        self, *, token: str = "", data: bytes = b"", name: str = "", recover: Iterable[str] = ()
    ) -> int:
        """Ask to connect, and to recover these server-side subscriptions."""
        subs = {channel: self._resumed(channel) for channel in recover}
        return self.request(requests.ConnectRequest(token=token, data=data, name=name, subs=subs))

    def subscribe(
        self, channel: str, *, token: str = "", flag: int = 1, delta: bool = False
    ) -> int:
        """Ask for a channel, from its position if one is known; with `delta` for what changes.

        Publications are reported whole either way.
        """
        position = self.positions.get(channel)
        return self.request(
            requests.SubscribeRequest(
                channel=channel,
                token=token,
                flag=flag,
                recover=position is not None,
                offset=position.offset if position else 0,
                epoch=position.epoch if position else "",
                delta="fossil" if delta else "",
            )
        )

    def unsubscribe(self, channel: str) -> int:
        """Ask to hear no more of a channel."""
        return self.request(requests.UnsubscribeRequest(channel))

    def rpc(self, method: str, data: bytes = b"") -> int:
        """Call a method of the application."""
        return self.request(requests.RPCRequest(method, data))

    def history(
        self,
        channel: str,
        *,
        limit: int,
        since: StreamPosition | None = None,
        reverse: bool = False,
    ) -> int:
        """Read a channel's stream."""
        return self.request(requests.HistoryRequest(channel, limit, since, reverse))

    def presence(self, channel: str) -> int:
        """Ask who is subscribed to a channel."""
        return self.request(requests.PresenceRequest(channel))

    def send(self, data: bytes) -> None:
        """Tell the application something; nothing comes back."""
        self._output.append(self.codec.encode_command(Command(0, requests.SendRequest(data))))

    def request(self, request: Request) -> int:
        """Make any request that gets an answer; its id."""
        assert type(request) in _RESULTS, "nobody answers this"
        id = next(self._ids)
        self._waiting[id] = request
        self._output.append(self.codec.encode_command(Command(id, request)))
        return id

    def take_output(self) -> bytes | None:
        """One frame with everything to be sent, or None."""
        if not self._output:
            return None
        frame = self.codec.join(self._output)
        self._output.clear()
        return frame

    # --- What a server says -------------------------------------------------------------------

    def receive(self, frame: bytes) -> list[Answered | Push]:
        """What a frame says, in order. Pings are answered here and not reported."""
        heard: list[Answered | Push] = []
        for answer in self.codec.decode_answers(frame):
            said = self._hear(answer)
            if said is not None:
                heard.append(said)
        return heard

    def _hear(self, answer: Answer) -> Answered | Push | None:
        if isinstance(answer, Reply):
            return self._match(answer)
        if isinstance(answer, Push):
            return self._follow(answer)
        if self.session is None:
            raise _broken("a ping came before the connection was on")
        if self.session.pong:
            self._output.append(self.codec.pong)
        return None

    def _match(self, reply: Reply) -> Answered:
        request = self._waiting.pop(reply.id, None)
        if request is None:
            raise _broken(f"nothing was asked with id {reply.id}")
        result = reply.result
        if type(result) not in (Error, _RESULTS[type(request)]):
            raise _broken(f"{type(request).__name__} was answered by {type(result).__name__}")
        match request, result:
            case requests.ConnectRequest(), ConnectResult():
                self.session = result
                for channel, subscribed in result.subs.items():
                    self._subscribed(channel, subscribed)
            case requests.SubscribeRequest(), SubscribeResult():
                if result.delta and not request.delta:
                    raise _broken(f"nobody asked for the deltas of {request.channel!r}")
                result = self._subscribed(request.channel, result)
            case requests.UnsubscribeRequest(), results.UnsubscribeResult():
                self.channels.discard(request.channel)
            case _:
                pass
        return Answered(reply.id, request, result)

    def _follow(self, push: Push) -> Push:
        channel = push.channel
        match push.event:
            case Publication() as publication:
                if channel not in self.channels:
                    raise _broken(f"a publication came for {channel!r}, which is not subscribed")
                self._advance(channel, publication)
                return Push(self._whole(channel, publication), channel)
            case events.Subscribe() as event:
                self._subscribed(
                    channel,
                    SubscribeResult(
                        recoverable=event.recoverable,
                        epoch=event.epoch,
                        offset=event.offset,
                        positioned=event.positioned,
                    ),
                )
            case events.Unsubscribe():
                self.channels.discard(channel)
            case events.Disconnect() as event:
                self.disconnect = event
            case _:
                pass
        return push

    def _subscribed(self, channel: str, result: SubscribeResult) -> SubscribeResult:
        """Take note of a subscription; its result with whole publications."""
        self.channels.add(channel)
        self._before.pop(channel, None)
        if result.delta:
            self._before[channel] = None
        whole = [self._whole(channel, each) for each in result.publications]
        result = msgspec.structs.replace(result, publications=tuple(whole))
        if not (result.recoverable or result.positioned):
            return result
        before = self.positions.get(channel)
        if result.recovered and (before is None or before.offset != result.offset):
            raise _broken(f"{channel!r} was recovered from a position it was not at")
        self.positions[channel] = StreamPosition(result.offset, result.epoch)
        for publication in result.publications:
            self._advance(channel, publication)
        return result

    def _whole(self, channel: str, publication: Publication) -> Publication:
        """The publication as it was before the server looked for what changed."""
        if channel not in self._before:
            if publication.delta:
                raise _broken(f"a delta came for {channel!r}, which has none")
            return publication
        before, data = self._before[channel], self.codec.unquoted(publication.data)
        if publication.delta:
            if before is None:
                raise _broken(f"the first publication of {channel!r} was no whole one")
            data = fossil.apply(before, data, limit=WHOLE_BYTES)
        self._before[channel] = data
        return msgspec.structs.replace(publication, data=data, delta=False)

    def _advance(self, channel: str, publication: Publication) -> None:
        """Move on by a publication. One without an offset belongs to no stream."""
        position = self.positions.get(channel)
        if position is None or not publication.offset:
            return
        if publication.offset != position.offset + 1:
            raise ProtocolViolation(
                DisconnectCode.INSUFFICIENT_STATE,
                f"{channel!r} went from offset {position.offset} to {publication.offset}",
            )
        self.positions[channel] = StreamPosition(publication.offset, position.epoch)

    def _resumed(self, channel: str) -> requests.SubscribeRequest:
        position = self.positions[channel]
        return requests.SubscribeRequest(recover=True, offset=position.offset, epoch=position.epoch)


def _broken(reason: str) -> ProtocolViolation:
    return ProtocolViolation(DisconnectCode.BAD_REQUEST, reason)
