"""A client that stays: its connection comes back, and its channels have no gaps.

For the replay, and for tests that need many clients at once.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from kernel.clock import Clock
from messaging.protocol import events, requests, results
from messaging.protocol.client import Answered, ClientProtocol
from messaging.protocol.codec import ClientCodec
from messaging.protocol.codes import ErrorCode, ProtocolViolation, reconnects
from messaging.protocol.frames import Push, Request, Result
from messaging.protocol.json_codec import JSON
from messaging.protocol.results import Error
from messaging.protocol.values import Publication, StreamPosition
from server.live_channel import FollowedChannel, Heard
from server.live_line import Line, Lost, Patience, Question, Refused

PAGE = 300
"""Publications asked for at once when a server no longer recovers what was missed."""

RESUBSCRIBE = 2500
"""Unsubscribe codes from here on ask the client to subscribe again at once."""


class LiveClient:
    """One user's connection to one of several nodes, for as long as `run` runs.

    What was asked is asked again on the next connection until it is answered, so it must bear
    that: a message needs its idempotency key. A channel is recovered from where it was heard,
    and read from history where the server recovers no more.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        token: Callable[[], str],
        heard: Heard,
        clock: Clock,
        codec: ClientCodec = JSON,
        patience: Patience | None = None,
    ) -> None:
        self.urls = urls
        """Where the nodes are; may be changed at any time."""
        self.connections = 0
        """How often it was connected so far."""
        self.violations: list[str] = []
        """What servers did that they must never do."""
        self._token = token
        self._heard = heard
        self._clock = clock
        self._codec = codec
        self._patience = patience or Patience()
        self._questions: dict[Question, None] = {}
        self._channels: dict[str, FollowedChannel] = {}
        self._line: Line | None = None
        self._closing = False

    # --- what users of a client do ---------------------------------------------------------------

    async def run(self) -> None:
        """Stay connected until `close`. Raises `Refused` when the server sends it away for good."""
        failures = turn = 0
        try:
            while not self._closing:
                before = self.connections
                with self._survived():
                    await self._connection(self.urls[turn % len(self.urls)])
                connected = self.connections > before
                failures = 1 if connected else failures + 1
                turn += 0 if connected else 1
                if not self._closing:
                    await self._clock.sleep(self._patience.backoff.delay(failures))
        finally:
            self._closing = True
            for question in self._questions:
                question.answer.cancel()
            for channel in self._channels.values():
                channel.subscribed.cancel()

    async def close(self) -> None:
        """Leave; `run` returns."""
        self._closing = True
        if self._line is not None:
            await self._line.websocket.close()

    async def ask(self, request: Request) -> Result:
        """The answer to a request, whatever connections it takes. Raises `Refused`."""
        failures = 0
        while True:
            answer = await self._answer_to(request)
            if not isinstance(answer, Error):
                return answer
            if not answer.temporary:
                raise Refused(answer.code, answer.message)
            failures += 1
            await self._clock.sleep(self._patience.backoff.delay(failures))

    async def rpc(self, method: str, data: bytes) -> bytes:
        """What a method of the application answers. Raises `Refused`."""
        result = await self.ask(requests.RPCRequest(method, data))
        assert isinstance(result, results.RPCResult)
        return result.data

    async def follow(self, channel: str, *, since: StreamPosition | None = None) -> None:
        """Hear a channel from now on, or from a position on. Raises `Refused`."""
        followed = FollowedChannel(channel, heard=self._heard, since=since)
        self._channels[channel] = followed
        if self._line is not None:
            self._subscribe(self._line, followed)
        await followed.subscribed

    def drop(self) -> None:
        """Cut the connection, as a tunnel would."""
        if self._line is not None:
            self._line.websocket.transport.abort()

    # --- one connection --------------------------------------------------------------------------

    @contextmanager
    def _survived(self) -> Iterator[None]:
        """Whatever ends a connection, unless it is for good."""
        try:
            yield
        except ConnectionClosed as closed:
            if closed.rcvd is not None and not reconnects(closed.rcvd.code):
                raise Refused(closed.rcvd.code, closed.rcvd.reason) from None
        except (OSError, TimeoutError, WebSocketException, Lost):
            pass
        except ProtocolViolation as violation:
            self.violations.append(str(violation))

    async def _connection(self, url: str) -> None:
        subprotocol = [Subprotocol(self._codec.subprotocol)] if self._codec.binary else None
        async with connect(
            url,
            subprotocols=subprotocol,
            compression=None,
            ping_interval=None,
            open_timeout=self._patience.answer,
            close_timeout=1.0,
            max_size=None,
            proxy=None,
        ) as websocket:
            positions = {
                each.name: each.position
                for each in self._channels.values()
                if each.position is not None
            }
            line = Line(websocket, ClientProtocol(self._codec, positions=positions))
            sending = asyncio.create_task(line.send())
            try:
                line.protocol.connect(token=self._token())
                line.wake()
                await self._listen(line)
            finally:
                self._line = None
                sending.cancel()
                with suppress(asyncio.CancelledError):
                    await sending

    async def _listen(self, line: Line) -> None:
        while True:
            session = line.protocol.session
            within = self._patience.answer
            if session is not None:
                within = session.ping + self._patience.ping if session.ping else float("inf")
            async with asyncio.timeout(None if within == float("inf") else within):
                frame = await line.websocket.recv()
            for said in line.protocol.receive(frame.encode() if isinstance(frame, str) else frame):
                if isinstance(said, Push):
                    self._pushed(line, said)
                else:
                    self._answered(line, said)
            line.wake()

    def _answered(self, line: Line, said: Answered) -> None:
        question = line.questions.pop(said.id, None)
        if question is not None:
            if not question.answer.done():
                question.answer.set_result(said.result)
            return
        match said.request:
            case requests.ConnectRequest():
                self._connected(line, said.result)
            case requests.SubscribeRequest(channel=name):
                self._subscribed(line, self._channels[name], said.result)
            case requests.HistoryRequest(channel=name):
                self._filled(line, self._channels[name], said.result)
            case _:
                raise AssertionError(f"nobody asked for {said.request}")

    def _connected(self, line: Line, result: Result | Error) -> None:
        if isinstance(result, Error):
            if result.temporary or result.code == ErrorCode.TOKEN_EXPIRED:
                raise Lost(result.message)
            raise Refused(result.code, result.message)
        self.connections += 1
        self._line = line
        if self._closing:
            raise Lost("nobody wants it any more")
        for channel in self._channels.values():
            self._subscribe(line, channel)
        for question in self._questions:
            self._pose(line, question)

    # --- questions -------------------------------------------------------------------------------

    async def _answer_to(self, request: Request) -> Result | Error:
        question = Question(request, asyncio.get_running_loop().create_future())
        self._questions[question] = None
        try:
            if self._line is not None:
                self._pose(self._line, question)
            while not (self._closing or question.answer.done()):
                asked_on = self._line
                await asyncio.wait([question.answer], timeout=self._patience.answer)
                if not question.answer.done() and asked_on is self._line:
                    self.drop()
            if (self._closing and not question.answer.done()) or question.answer.cancelled():
                raise ConnectionAbortedError("the client was closed")
            return question.answer.result()
        finally:
            del self._questions[question]

    def _pose(self, line: Line, question: Question) -> None:
        line.questions[line.protocol.request(question.request)] = question
        line.wake()

    # --- channels --------------------------------------------------------------------------------

    def _subscribe(self, line: Line, channel: FollowedChannel) -> None:
        if line is self._line:
            channel.restart()
            if channel.position is not None:
                line.protocol.positions[channel.name] = channel.position
            line.protocol.subscribe(channel.name)
            line.wake()

    def _fill(self, line: Line, channel: FollowedChannel) -> None:
        if line is self._line:
            line.protocol.history(channel.name, limit=PAGE, since=channel.position)
            line.wake()

    def _later(self, channel: FollowedChannel, act: Callable[[], None]) -> None:
        channel.failures += 1
        delay = self._patience.backoff.delay(channel.failures)
        asyncio.get_running_loop().call_later(delay, act)

    def _subscribed(self, line: Line, channel: FollowedChannel, result: Result | Error) -> None:
        if isinstance(result, Error):
            if result.temporary:
                self._later(channel, lambda: self._subscribe(line, channel))
            else:
                self._ended(channel, Refused(result.code, result.message))
            return
        assert isinstance(result, results.SubscribeResult)
        if channel.begin(result):
            self._fill(line, channel)

    def _filled(self, line: Line, channel: FollowedChannel, result: Result | Error) -> None:
        if isinstance(result, Error):
            if not result.temporary:
                raise Refused(result.code, result.message)
            self._later(channel, lambda: self._fill(line, channel))
            return
        assert isinstance(result, results.HistoryResult)
        if channel.fill(result.publications):
            self._fill(line, channel)

    def _pushed(self, line: Line, push: Push) -> None:
        channel = self._channels.get(push.channel)
        if channel is None:
            return
        match push.event:
            case Publication() as publication:
                channel.take(publication)
            case events.Unsubscribe(code=code, reason=reason):
                if code < RESUBSCRIBE:
                    self._ended(channel, Refused(code, reason))
                else:
                    self._subscribe(line, channel)
            case _:
                pass

    def _ended(self, channel: FollowedChannel, why: Refused) -> None:
        """Hear no more of a channel: who waits for it is told, or else whoever runs the client."""
        del self._channels[channel.name]
        if channel.subscribed.done():
            raise why
        channel.subscribed.set_exception(why)
