"""A chat in the terminal: one conversation, followed across lost connections."""

import asyncio
import sys
import unicodedata
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID, uuid4

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from kernel.backoff import Backoff
from kernel.clock import SystemClock
from kernel.ids import UserId
from messaging.channels.names import conversation_channel
from messaging.protocol import frames, results, values
from messaging.protocol.client import Answered, ClientProtocol
from messaging.protocol.json_codec import JSON

T = TypeVar("T")

_BACKOFF = Backoff(first=0.5, cap=10.0, floor=0.2)
_TOKEN_EXPIRED = 109
_SHOWN = 20
_ISOLATE, _END = "\u2068", "\u2069"
"""Around a text, they keep its direction from changing its neighbours'."""


class ChatFailed(Exception):
    """The chat cannot go on; the text says why."""


class Refused(Exception):
    """The server answered a request with an error."""

    def __init__(self, error: results.Error) -> None:
        super().__init__(error.message)
        self.error = error


class _Conversation(msgspec.Struct):
    id: UUID


class _Conversations(msgspec.Struct):
    conversations: list[_Conversation]


class _Body(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    sender_id: str
    body: _Body
    sent_at: datetime
    offset: int = 0


class _History(msgspec.Struct):
    messages: list[_Message]


class Chatter:
    """One user in one conversation.

    A line counts as sent when the server has acknowledged it; one that was on its way when
    the connection was lost is sent again under the same idempotency key.
    """

    def __init__(self, *, url: str, token: Callable[[], str], user_id: UserId) -> None:
        self._url = url
        self._token = token
        self._user_id = user_id
        self._positions: dict[str, values.StreamPosition] = {}
        self._conversation: UUID | None = None
        self._unsent: deque[tuple[str, str]] = deque()
        self._ended = False

    async def run(
        self, lines: asyncio.Queue[str | None], *, other: str | None, conversation: str | None
    ) -> None:
        """Talk until `lines` brings None and everything is sent. Raises `ChatFailed`."""
        clock, failures = SystemClock(), 0
        if conversation is not None:
            self._conversation = _uuid(conversation)
        while not self._ended:
            try:
                async with connect(self._url, compression=None, ping_interval=None) as socket:
                    failures = 0
                    await self._converse(_Line(socket, self._positions), lines, other)
            except (OSError, ConnectionClosed, InvalidHandshake) as error:
                code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else 0
                if 3500 <= code < 4000 or 4500 <= code < 5000:
                    raise ChatFailed(f"The server ended the connection: {error}") from error
                if self._conversation is None:
                    raise ChatFailed(f"No server answers at {self._url}: {error}") from error
                failures += 1
                delay = _BACKOFF.delay(failures)
                _note(f"connection lost, trying again in {delay:.0f} s …")
                await clock.sleep(delay)
            except Refused as refused:
                if refused.error.code != _TOKEN_EXPIRED:
                    raise ChatFailed(f"The server refused: {refused.error.message}") from refused

    async def _converse(
        self, line: "_Line", lines: asyncio.Queue[str | None], other: str | None
    ) -> None:
        async with line:
            await line.ask(lambda client: client.connect(token=self._token(), name="zaffa"))
            if self._conversation is None:
                self._conversation = await self._find(line, other)
            await self._catch_up(line, conversation_channel(self._conversation))
            line.hear(self._show_publication)
            while self._unsent or not self._ended:
                await self._send_all(line)
                if not self._ended:
                    self._take(await line.unless_lost(lines.get()))

    async def _find(self, line: "_Line", other: str | None) -> UUID:
        if other is not None:
            asked = {"kind": "direct", "user_ids": [other]}
            opened = await line.call("conversations.open", asked)
            return msgspec.json.decode(opened, type=_Conversation).id
        listed = await line.call("conversations.list", {"limit": 1})
        found = msgspec.json.decode(listed, type=_Conversations).conversations
        if not found:
            raise ChatFailed("You are in no conversation yet; say whom to talk to: --with USER.")
        return found[0].id

    async def _catch_up(self, line: "_Line", channel: str) -> None:
        """Show what was said before, or since the connection was lost."""
        known = line.client.positions.get(channel)
        result = await line.ask(lambda client: client.subscribe(channel))
        assert isinstance(result, results.SubscribeResult)
        self._positions = line.client.positions
        if known is not None and result.recovered:
            _note("back again")
            for publication in result.publications:
                self._show_publication(publication)
            return
        if known is not None:
            _note("back again after a long time; these are the newest messages")
        asked = {"conversation_id": str(self._conversation), "limit": _SHOWN}
        answer = await line.call("messages.history", asked)
        for message in reversed(msgspec.json.decode(answer, type=_History).messages):
            # What came after the subscription arrives through it as well.
            if message.offset <= result.offset:
                _show(message)
        _note(f"you are {self._user_id}; type a line and press Enter, Ctrl+D ends")

    async def _send_all(self, line: "_Line") -> None:
        while self._unsent:
            key, text = self._unsent[0]
            asked = {
                "conversation_id": str(self._conversation),
                "idempotency_key": key,
                "body": {"text": text},
            }
            try:
                await line.call("messages.send", asked)
            except Refused as refused:
                if refused.error.temporary:
                    raise ConnectionResetError(refused.error.message) from refused
                _note(f"not sent: {refused.error.message}")
            self._unsent.popleft()

    def _take(self, text: str | None) -> None:
        if text is None:
            self._ended = True
        elif text.strip():
            self._unsent.append((uuid4().hex, text.rstrip("\r\n")))

    def _show_publication(self, publication: values.Publication) -> None:
        _show(msgspec.json.decode(publication.data, type=_Message))


class _Line:
    """One connection: requests and their answers, and what is said meanwhile."""

    def __init__(
        self, socket: ClientConnection, positions: dict[str, values.StreamPosition]
    ) -> None:
        self.client = ClientProtocol(JSON, positions=positions)
        self._socket = socket
        self._answers: dict[int, asyncio.Future[frames.Result | results.Error]] = {}
        self._early: list[values.Publication] = []
        self._hear: Callable[[values.Publication], None] = self._early.append
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._reading = asyncio.create_task(self._read())

    async def __aexit__(self, *_: object) -> None:
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.wait({self._reading})

    def hear(self, hear: Callable[[values.Publication], None]) -> None:
        """From now on `hear` gets every publication, those that waited first."""
        for publication in self._early:
            hear(publication)
        self._hear = hear

    async def call(self, method: str, data: object) -> bytes:
        """An RPC; the answer's data. Raises `Refused`."""
        result = await self.ask(lambda client: client.rpc(method, msgspec.json.encode(data)))
        assert isinstance(result, results.RPCResult)
        return result.data

    async def ask(self, request: Callable[[ClientProtocol], int]) -> frames.Result:
        """Make a request; its result. Raises `Refused`, or why the connection was lost."""
        number = request(self.client)
        answer: asyncio.Future[frames.Result | results.Error]
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._flush()
        result: frames.Result | results.Error = await self.unless_lost(answer)
        if isinstance(result, results.Error):
            raise Refused(result)
        return result

    async def unless_lost(self, awaited: Awaitable[T]) -> T:
        """What is awaited, unless the connection is lost first: then that is raised."""
        assert self._reading is not None
        waiting = asyncio.ensure_future(awaited)
        await asyncio.wait({waiting, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        self._reading.result()
        raise ConnectionResetError("the connection ended")

    async def _read(self) -> None:
        async for frame in self._socket:
            data = frame.encode() if isinstance(frame, str) else frame
            for heard in self.client.receive(data):
                if isinstance(heard, Answered):
                    answer = self._answers.pop(heard.id)
                    if not answer.done():
                        answer.set_result(heard.result)
                elif isinstance(heard.event, values.Publication):
                    self._hear(heard.event)
            await self._flush()
        raise ConnectionResetError("the server closed the connection")

    async def _flush(self) -> None:
        output = self.client.take_output()
        if output is not None:
            await self._socket.send(output.decode())


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ChatFailed(f"{text!r} is not a conversation's id.") from error


def _show(message: _Message) -> None:
    at = message.sent_at.astimezone().strftime("%H:%M")
    print(f"{at} {_shown(message.sender_id)}: {_shown(message.body.text)}", flush=True)  # noqa: T201


def _shown(text: str) -> str:
    """A text as it may stand on a terminal: in its own direction, without control characters."""
    harmless = "".join(
        " " if unicodedata.category(each) in ("Cc", "Cs") else each
        for each in text
        if each not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
    return f"{_ISOLATE}{harmless}{_END}"


def _note(text: str) -> None:
    print(f"— {text}", file=sys.stderr, flush=True)  # noqa: T201
