"""APNs behind an HTTP proxy (A24): aioapns knows one answer of one kind of proxy."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from notifications.adapters.apns import ApnsOptions
from notifications.sandbox.credentials import Files
from notifications.types import AddressKind, Verdict
from tests.support.clock import ManualClock
from tests.support.sandbox import attempt, open_apns
from tests.support.scripted_apns import ScriptedApns, ScriptedConnection, scripted_apns

WELCOME = b"HTTP/1.0 200 OK\r\nVia: a proxy\r\n\r\n"


def answer(connection: ScriptedConnection, stream: int) -> None:
    connection.answer(stream)


class Proxy:
    """Answers CONNECT with these pieces; a good answer is followed by a tunnel."""

    def __init__(self, server: ScriptedApns, *pieces: bytes) -> None:
        self.heads: list[str] = []
        self.address = ""
        self._server = server
        self._pieces = pieces

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        for piece in self._pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        if b" 200 " in b"".join(self._pieces):
            _, _, port = self._server.address.rpartition(":")
            there, away = await asyncio.open_connection("localhost", int(port))
            await asyncio.gather(_copy(reader, away), _copy(there, writer))
        else:
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def behind(server: ScriptedApns, *pieces: bytes) -> AsyncIterator[Proxy]:
    proxy = Proxy(server, *pieces)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.address = f"localhost:{listening.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listening.close()
        await asyncio.sleep(0.02)


@pytest.fixture
def options(credentials: Files) -> Callable[..., ApnsOptions]:
    def of(server: ScriptedApns, proxy: str) -> ApnsOptions:
        return ApnsOptions(
            key_file=str(credentials.apns_key),
            key_id=credentials.key_id,
            team_id=credentials.team_id,
            topic=credentials.topic,
            production=server.address,
            ca_file=str(credentials.authority),
            proxy=proxy,
            deadline=3.0,
            connect_within=2.0,
        )

    return of


Of = Callable[..., ApnsOptions]


async def test_a24_a_push_goes_through_a_proxy_that_takes_its_time_and_asks_who_we_are(
    credentials: Files, options: Of, clock: ManualClock
) -> None:
    async with (
        scripted_apns(credentials, answer) as server,
        behind(server, WELCOME[:10], WELCOME[10:25], WELCOME[25:]) as proxy,
        open_apns(options(server, f"http://us:p%40ss@{proxy.address}"), clock=clock) as apns,
    ):
        [outcome] = await apns.send([attempt(AddressKind.APNS, now=clock.now())])

    assert outcome.verdict is Verdict.ACCEPTED
    assert proxy.heads == [
        f"CONNECT {server.address} HTTP/1.1\r\nHost: {server.address}\r\n"
        "Proxy-Authorization: Basic dXM6cEBzcw==\r\n\r\n"
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "502 Bad Gateway"),
        (b"", "closed"),
        (b"nonsense\r\n\r\n", "nonsense"),
        (b"x" * 9000, "xxx"),
    ],
)
async def test_a24_a_proxy_that_refuses_is_told_at_once_and_the_push_was_not_sent(
    said: bytes, reason: str, credentials: Files, options: Of, clock: ManualClock
) -> None:
    async with (
        scripted_apns(credentials, answer) as server,
        behind(server, said) as proxy,
        open_apns(options(server, f"http://{proxy.address}"), clock=clock) as apns,
    ):
        [outcome] = await apns.send([attempt(AddressKind.APNS, now=clock.now())])

    assert outcome.verdict is Verdict.NOT_SENT
    assert reason in outcome.reason
    assert server.requests == []


async def test_a24_a_silent_proxy_is_given_up_in_time(
    credentials: Files, options: Of, clock: ManualClock
) -> None:
    callers: list[asyncio.StreamWriter] = []
    mute = await asyncio.start_server(lambda _, who: callers.append(who), "127.0.0.1", 0)
    proxy = f"http://localhost:{mute.sockets[0].getsockname()[1]}"
    async with (
        scripted_apns(credentials, answer) as server,
        open_apns(options(server, proxy), clock=clock) as apns,
    ):
        [outcome] = await apns.send([attempt(AddressKind.APNS, now=clock.now())])
    mute.close()
    for caller in callers:
        caller.close()

    assert (outcome.verdict, outcome.reason) == (Verdict.NOT_SENT, "connect: TimeoutError")


@pytest.mark.parametrize("proxy", ["proxy:3128", "https://proxy:1", "http://proxy", "http://p:x"])
def test_a_proxy_that_cannot_be_one_is_refused(proxy: str) -> None:
    with pytest.raises(ValueError, match="proxy must be"):
        ApnsOptions(proxy=proxy)
