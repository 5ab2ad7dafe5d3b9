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
from messaging.protocol import requests, results
from messaging.protocol.client import Answered, ClientProtocol
from messaging.protocol.codec import ClientCodec
from messaging.protocol.codes import ErrorCode, ProtocolViolation, reconnects
from messaging.protocol.frames import Push, Request, Result
from messaging.protocol.json_codec import JSON
from messaging.protocol.results import Error
from messaging.protocol.values import StreamPosition
from server.live_channel import Heard
from server.live_channels import Dismissed, FollowedChannels
from server.live_line import Line, Lost, Patience, Question, Refused

Witness = Callable[[Line, Answered | Push], None]
"""Is told of everything that a server says, before the client makes anything of it."""


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
        witness: Witness | None = None,
        dismissed: Dismissed | None = None,
        deltas: bool = False,
    ) -> None:
        """Without `dismissed`, a channel that the server ends for good ends the client.

        With `deltas` it asks for what changes from one publication to the next.
        """
        self.urls = urls
        """Where the nodes are; may be changed at any time."""
        self.connections = 0
        """How often it was connected so far."""
        self.violations: list[str] = []
        """What servers did that they must never do."""
        self._token = token
        self._clock = clock
        self._codec = codec
        self._patience = patience or Patience()
        self._questions: dict[Question, None] = {}
        self._witness = witness
        self._channels = FollowedChannels(
            heard=heard,
            backoff=self._patience.backoff,
            dismissed=dismissed,
            deltas=deltas,
        )
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
            self._channels.close()

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

    async def attempt(self, request: Request) -> Result | Error | None:
        """The answer to something that must not be asked twice; None if it stays unknown."""
        if self._line is None:
            return None
        question = Question(request, asyncio.get_running_loop().create_future())
        self._pose(self._line, question)
        await asyncio.wait([question.answer], timeout=self._patience.answer)
        return question.answer.result() if question.answer.done() else None

    async def rpc(self, method: str, data: bytes) -> bytes:
        """What a method of the application answers. Raises `Refused`."""
        result = await self.ask(requests.RPCRequest(method, data))
        assert isinstance(result, results.RPCResult)
        return result.data

    async def follow(self, channel: str, *, since: StreamPosition | None = None) -> None:
        """Hear a channel from now on, or from a position on. Raises `Refused`."""
        await self._channels.follow(channel, since)

    async def unfollow(self, channel: str) -> StreamPosition | None:
        """Hear a channel no more; how far it was heard."""
        position = self._channels.forget(channel)
        await self.ask(requests.UnsubscribeRequest(channel))
        return position

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
            protocol = ClientProtocol(self._codec, positions=self._channels.positions())
            line = Line(websocket, protocol)
            sending = asyncio.create_task(line.send())
            try:
                line.protocol.connect(token=self._token())
                line.wake()
                await self._listen(line)
            finally:
                self._line = None
                self._channels.connected(None)
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
                if self._witness is not None:
                    self._witness(line, said)
                if isinstance(said, Push):
                    self._channels.pushed(said)
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
                self._channels.subscribed(name, said.result)
            case requests.HistoryRequest(channel=name):
                self._channels.filled(name, said.result)
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
        self._channels.connected(line)
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
