"""Which handshakes are taken past HTTP server and ASGI, and which are left to them."""

import asyncio
from typing import Any

import pytest

from kernel.adapters.database import Database
from messaging.sockets.gateway import GatewayOptions
from messaging.sockets.transport import SocketWire
from messaging.sockets.upgrading import Upgrading
from tests.support.factories_messaging import AMINA
from tests.support.rawsocket import masked, raw_socket
from tests.support.realtime import Node, serving

# The example of RFC 6455, 1.3.
HEADERS = {
    "Host": "chat.example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


class Transport(asyncio.Transport):
    """Notes what becomes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.protocol: Any = None

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def write(self, data: Any) -> None:
        self.written += data


def request(line: str = "GET /connection/websocket HTTP/1.1", **headers: str | None) -> bytes:
    fields = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([line, *lines, "", ""]).encode()


@pytest.fixture
def node(sqlite_database: Database) -> Node:
    return Node(
        sqlite_database, gateway_options=GatewayOptions(origins=("https://app.example.com",))
    )


async def test_a_usual_handshake_is_answered_at_once(node):
    transport, peers = Transport(), set[Any]()

    assert Upgrading(node.gateway).take(request(), transport, peers)

    assert transport.written == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    assert isinstance(transport.protocol, SocketWire)
    assert peers == {transport.protocol}
    assert len(node.hub.connections) == 1


@pytest.mark.parametrize(
    "usual",
    [
        request(Connection="keep-alive, Upgrade", User_Agent="Mozilla/5.0 (X11; Linux)"),
        request(Upgrade="WebSocket", Origin="https://app.example.com"),
        request(Origin="https://chat.example.com"),
        request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"),
        request(Sec_WebSocket_Protocol="", Cookie="a=b; c=d"),
        request("GET /connection/websocket?format=protobuf HTTP/1.1"),
    ],
)
async def test_what_browsers_and_sdks_send_is_usual(node, usual):
    assert Upgrading(node.gateway).take(usual, Transport(), set())


@pytest.mark.parametrize(
    "unusual",
    [
        b"",
        request()[:-1],
        request("get /connection/websocket HTTP/1.1"),
        request("POST /connection/websocket HTTP/1.1"),
        request("GET /connection/websocket HTTP/1.0"),
        request("GET /connection/websocket2 HTTP/1.1"),
        request("GET /connection/%77ebsocket HTTP/1.1"),
        request("GET http://host/connection/websocket HTTP/1.1"),
        request(Host=None),
        request(Host=""),
        request(Host="a\r\nhost: b"),
        request(Upgrade="h2c"),
        request(Connection="close"),
        request(Connection=None),
        request(Sec_WebSocket_Version="8"),
        request(Sec_WebSocket_Key=None),
        request(Sec_WebSocket_Key="short"),
        request(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==="),
        request(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==\r\n dGhl"),
        request(Content_Length="5"),
        request(Transfer_Encoding="chunked"),
        request(Expect="100-continue"),
        request(X="a\nb: c"),
        request(X="a\rb"),
        request(X="a\0b"),
        request(X="é"),
        request(**{"X ": "a"}),
        request(Origin="https://evil.example.com"),
        request(Origin="null"),
    ],
)
async def test_what_is_unusual_or_unwelcome_is_left_alone(node, unusual):
    transport = Transport()

    assert not Upgrading(node.gateway).take(unusual, transport, set())

    assert (transport.written, transport.protocol) == (b"", None)
    assert not node.hub.connections


async def test_what_is_remembered_of_a_head_answers_each_key_of_its_own(node):
    upgrading, other = Upgrading(node.gateway), "x3JJHMbDL1EzLkh9GBhXDw=="
    answers = []
    for key in (HEADERS["Sec-WebSocket-Key"], other, HEADERS["Sec-WebSocket-Key"]):
        transport = Transport()
        assert upgrading.take(request(Sec_WebSocket_Key=key), transport, set())
        answers.append(transport.written)

    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answers[0] == answers[2]
    assert b"HSmrc0sMlYUkAGmm5OPpG2HaGWk=" in answers[1]


async def test_what_is_remembered_of_a_head_is_remembered_of_no_other(node):
    upgrading, foreign = Upgrading(node.gateway), request(Origin="https://evil.example.com")
    for _ in range(2):
        assert upgrading.take(request(Origin="https://app.example.com"), Transport(), set())
        assert not upgrading.take(foreign, Transport(), set())
        assert not upgrading.take(request(Sec_WebSocket_Key="short"), Transport(), set())
        assert upgrading.take(request(X="x" * 3_000), Transport(), set())


async def test_a_node_that_takes_nobody_leaves_it_to_others_to_say_so(node):
    node.gateway.draining = True

    assert not Upgrading(node.gateway).take(request(), Transport(), set())


async def test_what_comes_with_the_handshake_is_heard(node):
    async with serving(node), raw_socket(node.port) as client:
        connect = b'{"id":1,"connect":{"token":"%b"}}' % node.token(AMINA).encode()
        client.send(client.request(), masked(connect))

        assert await client.response() == 101
        assert b'"connect"' in (await client.frame()).payload


async def test_a_handshake_in_pieces_goes_the_long_way(node):
    async with serving(node), raw_socket(node.port) as client:
        whole = client.request()
        client.send(whole[:40])
        await client.writer.drain()
        await asyncio.sleep(0.05)
        client.send(whole[40:])

        assert await client.response() == 101
