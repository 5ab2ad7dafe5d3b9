"""How the sandbox's HTTP/2 connections live and end, spoken to frame by frame."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
)
from h2.settings import SettingCodes

from notifications.sandbox.http import Manner, Request, Response, Traits
from notifications.sandbox.listener import Listener


class Echo:
    """A service that answers as the test wishes."""

    def __init__(self) -> None:
        self.traits = Traits()
        self.response = Response(200, b"hello")

    def session(self) -> None:
        """Nothing to remember."""

    def answer(self, request: Request) -> Response:
        return self.response


class Caller:
    """An HTTP/2 client that keeps every event."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.events: list[Event] = []
        self._reader, self._writer = reader, writer

    def get(self, stream: int) -> None:
        head = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", "/"),
        ]
        self.h2.send_headers(stream, head, end_stream=True)

    async def until(self, kind: type[Event], *, within: float = 5.0) -> Any:
        """The next event of that kind."""
        async with asyncio.timeout(within):
            while True:
                self._writer.write(self.h2.data_to_send())
                for place, event in enumerate(self.events):
                    if isinstance(event, kind):
                        return self.events.pop(place)
                data = await self._reader.read(65_536)
                assert data, f"the connection ended before {kind.__name__}"
                self.events += self.h2.receive_data(data)

    async def end(self) -> None:
        """Until the other side has closed."""
        async with asyncio.timeout(5):
            while await self._reader.read(65_536):
                pass

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
def echo() -> Echo:
    return Echo()


Connect = Callable[[], Awaitable[Caller]]


@pytest.fixture
async def connect(echo: Echo) -> AsyncIterator[Connect]:
    listener = Listener(echo, host="127.0.0.1", port=0, tls=None)
    await listener.open()
    callers: list[Caller] = []

    async def connected() -> Caller:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", listener.port))
        callers.append(caller)
        return caller

    yield connected
    for caller in callers:
        caller.close()
    await listener.close()


async def test_the_number_of_streams_is_announced(echo: Echo, connect: Connect) -> None:
    echo.traits = Traits(streams=7)
    caller = await connect()

    changed = await caller.until(RemoteSettingsChanged)

    assert changed.changed_settings[SettingCodes.MAX_CONCURRENT_STREAMS].new_value == 7


@pytest.mark.parametrize(
    ("traits", "said"),
    [(Traits(idle=0.05), b"session_timeout"), (Traits(age=0.05), b"max_age")],
)
async def test_a_connection_ends_when_it_is_idle_or_old(
    traits: Traits, said: bytes, echo: Echo, connect: Connect
) -> None:
    echo.traits = traits
    caller = await connect()

    goodbye = await caller.until(ConnectionTerminated)

    assert goodbye.additional_data == said
    await caller.end()


async def test_a_third_ping_without_a_request_ends_the_connection(
    echo: Echo, connect: Connect
) -> None:
    echo.traits = Traits(pings=3)
    caller = await connect()
    for number in range(3):
        caller.h2.ping(number.to_bytes(8, "big"))

    goodbye = await caller.until(ConnectionTerminated)

    assert goodbye.error_code == ErrorCodes.ENHANCE_YOUR_CALM
    assert goodbye.additional_data == b"too_many_pings"


async def test_requests_between_pings_keep_the_peace(echo: Echo, connect: Connect) -> None:
    echo.traits = Traits(pings=3)
    caller = await connect()
    for number in range(6):
        caller.h2.ping(number.to_bytes(8, "big"))
        caller.get(2 * number + 1)
        await caller.until(StreamEnded)

    assert not any(isinstance(event, ConnectionTerminated) for event in caller.events)


@pytest.mark.parametrize(
    ("manner", "pieces"),
    [
        (Manner.PLAIN, [b"hello"]),
        (Manner.SPLIT, [b"he", b"llo"]),
        (Manner.TRAILING, [b"hello", b""]),
    ],
)
async def test_a_body_travels_in_the_pieces_that_were_asked_for(
    manner: Manner, pieces: list[bytes], echo: Echo, connect: Connect
) -> None:
    echo.response = Response(200, b"hello", manner=manner)
    caller = await connect()
    caller.get(1)

    await caller.until(StreamEnded)

    assert [event.data for event in caller.events if isinstance(event, DataReceived)] == pieces


async def test_a_body_waits_for_the_callers_window(echo: Echo, connect: Connect) -> None:
    echo.response = Response(200, b"x" * 10)
    caller = await connect()
    caller.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    caller.get(1)
    await caller.until(ResponseReceived)
    assert not any(isinstance(event, DataReceived) for event in caller.events)

    caller.h2.increment_flow_control_window(10, stream_id=1)
    arrived = await caller.until(DataReceived)

    assert arrived.data == b"x" * 10


async def test_a_delayed_answer_is_dropped_when_the_caller_has_gone(
    echo: Echo, connect: Connect
) -> None:
    echo.response = Response(200, delay=0.05)
    gone, patient = await connect(), await connect()
    gone.get(1)
    await gone.until(RemoteSettingsChanged)
    gone.close()
    patient.get(1)

    answer = await patient.until(ResponseReceived)

    assert answer.stream_id == 1


async def test_a_request_that_is_too_big_is_refused(echo: Echo, connect: Connect) -> None:
    echo.traits = Traits(body_bytes=10)
    caller = await connect()
    head = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/"),
    ]
    caller.h2.send_headers(1, head)
    caller.h2.send_data(1, b"x" * 11, end_stream=True)

    answer = await caller.until(ResponseReceived)

    assert dict(answer.headers)[":status"] == "413"


async def test_breaking_the_protocol_ends_only_that_connection(
    echo: Echo, connect: Connect
) -> None:
    rude, polite = await connect(), await connect()
    await rude.until(RemoteSettingsChanged)
    rude._writer.write(bytes([0, 0, 1, 0, 0, 0, 0, 0, 0]) + b"x")
    await rude.end()

    polite.get(1)

    assert (await polite.until(ResponseReceived)).stream_id == 1
