"""Whom the endpoint lets in, and in which format; with our protocol class and without."""

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from kernel.adapters.database import Database
from messaging.connections.departures import WireOptions
from messaging.sockets.gateway import GatewayOptions
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.rawsocket import masked, raw_socket, raw_websocket
from tests.support.realtime import Node, channel_of, serving, talking


@pytest.fixture(params=["shortcut", "our protocol", "plain ASGI"])
async def node(sqlite_database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Node]:
    options = GatewayOptions(connections=3, origins=("https://app.example.com",))
    built = Node(
        sqlite_database,
        native=request.param != "plain ASGI",
        shortcut=request.param == "shortcut",
        gateway_options=options,
    )
    async with serving(built) as running:
        yield running


@pytest.mark.parametrize(
    ("offered", "query", "agreed", "opcode"),
    [
        (None, "", None, 1),
        ("centrifuge-json", "", "centrifuge-json", 1),
        ("centrifuge-protobuf", "", "centrifuge-protobuf", 2),
        ("chat, centrifuge-protobuf", "", "centrifuge-protobuf", 2),
        ("chat", "", None, 1),
        (None, "?format=protobuf", None, 2),
        (None, "?cf_protocol=protobuf&cf_protocol_version=v2", None, 2),
    ],
)
async def test_the_format_that_was_asked_for_is_spoken(node, offered, query, agreed, opcode):
    async with raw_socket(node.port) as client:
        path = f"/connection/websocket{query}"
        client.send(client.request(path=path, Sec_WebSocket_Protocol=offered))
        assert await client.response() == 101
        assert client.headers.get("sec-websocket-protocol") == agreed

        token = node.token(AMINA).encode()
        if opcode == 1:
            client.send(masked(b'{"id":1,"connect":{"token":"%b"}}' % token))
        else:
            # Command{id: 1, connect: {token}}, written by hand.
            connect_request = b"\x0a" + _varint(len(token)) + token
            command = b"\x08\x01\x22" + _varint(len(connect_request)) + connect_request
            client.send(masked(_varint(len(command)) + command, opcode=2))
        frame = await client.frame()
        assert frame.opcode == opcode
        assert b"zaffa test" in frame.payload


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://127.0.0.1", 101),
        ("https://app.example.com", 101),
        ("https://evil.example.com", 403),
        ("null", 403),
    ],
)
async def test_only_pages_of_known_origins_may_connect(node, origin, status):
    async with raw_socket(node.port) as client:
        client.send(client.request(Origin=origin))

        assert await client.response() == status


async def test_a_full_node_sends_further_clients_away(node):
    async with talking(node), talking(node), talking(node), raw_socket(node.port) as client:
        client.send(client.request())

        assert await client.response() == 503


async def test_a_draining_node_takes_nobody_in_and_sends_everybody_away(node):
    async with talking(node, AMINA) as amina, talking(node, KARIM) as karim:
        await node.gateway.drain(0.3)

        assert await amina.closed() == (3001, "shutdown")
        assert await karim.closed() == (3001, "shutdown")
    async with raw_socket(node.port) as late:
        late.send(late.request())
        assert await late.response() == 503


async def test_who_does_not_read_is_closed_and_the_others_keep_receiving(sqlite_database):
    """Over plain ASGI; `test_transport` has the same over our protocol."""
    wires = WireOptions(backlog_bytes=65_536)
    node = Node(sqlite_database, native=False, wire_options=wires)
    async with serving(node), raw_websocket(node.port) as slow, talking(node, KARIM) as brisk:
        there = await node.conversation(AMINA, KARIM)
        channel = channel_of(there)
        token = node.token(AMINA).encode()
        slow.send(masked(b'{"id":1,"connect":{"token":"%b"}}' % token))
        slow.send(masked(b'{"id":2,"subscribe":{"channel":"%b"}}' % channel.encode()))
        await slow.frame()
        slow.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await brisk.subscribe(channel)
        for said in range(1, 2000):
            await node.say(there, KARIM, f"{said} " + "س" * 7000)
            await brisk.until(lambda: len(brisk.offsets(channel)) == said)  # noqa: B023
            if len(node.hub.connections) == 1:
                break

        assert [each.user_id for each in node.hub.connections] == [KARIM]
        assert brisk.offsets(channel) == list(range(1, said + 1))
        slow.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert await slow.close_code() == 3008


async def test_too_large_a_message_closes_with_1009(node):
    async with raw_websocket(node.port) as client:
        client.send(masked(b"x" * 65_537, length=65_537))

        assert await client.close_code() == 1009


async def test_what_is_no_command_closes_with_3501(node):
    async with connect(node.url, subprotocols=[Subprotocol("centrifuge-json")]) as websocket:
        await websocket.send("not json")
        await websocket.wait_closed()

        assert websocket.close_code == 3501


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])
