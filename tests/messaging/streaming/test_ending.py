"""How streams end: told why, in order, and without holding anybody up."""

import asyncio
import json
import socket
import ssl
from contextlib import asynccontextmanager, suppress

import pytest

from messaging.connections.connection import Connection
from messaging.connections.departures import WireOptions
from messaging.connections.quotas import ConnectionOptions
from tests.support.certificates import self_signed
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import PATIENCE, Node, channel_of, serving, talking
from tests.support.streaming import streaming

TRANSPORTS = ["sse", "http_stream", "uni_sse", "uni_http_stream"]


@pytest.fixture(params=[True, False], ids=["our protocol", "plain ASGI"])
async def node(sqlite_database, request):
    wires = WireOptions(backlog_bytes=65_536, close_seconds=0.5)
    async with serving(Node(sqlite_database, native=request.param, wire_options=wires)) as running:
        yield running


def only(node) -> Connection:
    (connection,) = node.hub.connections
    return connection


@asynccontextmanager
async def unread(node, user_id):
    """A stream whose client reads its head and then nothing."""
    with socket.socket() as client:
        # As little as the system gives: what is not read shows soon.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", node.port))
        body = json.dumps({"id": 1, "connect": {"token": node.token(user_id)}})
        head = f"POST /connection/http_stream HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}"
        await loop.sock_sendall(client, f"{head}\r\n\r\n{body}".encode())
        await node.until(lambda: node.hub.connections and only(node).principal)
        yield client


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_stream_that_is_closed_says_why_and_ends(node, transport):
    async with streaming(node, AMINA, transport=transport) as stream:
        only(node).disconnect(4_501, "enough")

        assert await stream.farewell() == {"code": 4_501, "reason": "enough"}
    assert node.hub.connections == {}


async def test_what_was_still_to_be_said_comes_before_the_farewell(node):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    async with streaming(node, AMINA) as stream:
        await stream.say({"id": 2, "subscribe": {"channel": channel}})
        await stream.answer(2)
        await node.say(there, AMINA, "one", "two")
        await stream.until(lambda: stream.offsets(channel) == [1, 2])

        connection = only(node)
        connection.unsubscribed(channel, 2000, "over")
        connection.disconnect(4_000, "over")

        await stream.farewell()
        first, last = (answer["push"] for answer in stream.answers[-2:])
        assert (first["unsubscribe"]["code"], last["disconnect"]["code"]) == (2000, 4_000)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_draining_node_sends_its_streams_away(node, transport):
    async with streaming(node, AMINA, transport=transport) as stream:
        await node.gateway.drain(0.1)

        assert await stream.farewell() == {"code": 3001, "reason": "shutdown"}
    async with streaming(node) as late:
        await late.open("uni_sse", b"{}")
        assert late.response.status == 503


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_that_stops_undrained_ends_its_streams_as_well(sqlite_database, transport):
    async with (
        serving(Node(sqlite_database)) as node,
        streaming(node, AMINA, transport=transport) as stream,
    ):
        assert node.server is not None
        node.server.should_exit = True

        assert await stream.farewell() == {"code": 3001, "reason": "shutdown"}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_leaves_is_noticed(node, transport):
    async with streaming(node, AMINA, transport=transport) as stream:
        stream.close()

        await node.until(lambda: not node.hub.connections)


async def test_requests_behind_that_of_a_stream_are_not_heard_and_do_no_harm(sqlite_database):
    options = ConnectionOptions(ping_seconds=1, pong_seconds=0.9)
    node = Node(sqlite_database, head_seconds=0.2, connection_options=options)
    async with serving(node):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        body = json.dumps({"id": 1, "connect": {"token": node.token(AMINA)}})
        head = f"POST /connection/http_stream HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}"
        request = f"{head}\r\n\r\n{body}".encode()
        writer.write(request + request + b"GET / HT")
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b'"connect"')
            # Longer than a request's head may take, were one awaited.
            await reader.readuntil(b"\r\n{}\n\r\n")
        writer.write(b"nonsense\r\n\r\n" * 10_000)
        assert len(node.hub.connections) == 1

        writer.close()

        await node.until(lambda: not node.hub.connections)


async def test_a_connection_is_used_again_after_its_stream_ended(node):
    async with streaming(node, AMINA) as stream:
        only(node).disconnect(4_000, "over")
        await stream.farewell()

        assert await stream.say({}) == 204


async def test_who_does_not_read_is_sent_away_and_the_others_keep_receiving(node):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    async with unread(node, AMINA), talking(node, KARIM) as brisk:
        slow = next(each for each in node.hub.connections if each.user_id == AMINA)
        slow.wire.received(json.dumps({"id": 2, "subscribe": {"channel": channel}}).encode())
        await brisk.subscribe(channel)
        await node.until(lambda: (slow.subscriptions or {})[channel].complete)
        said = 0
        while len(node.hub.connections) > 1 and said < 2_000:
            said += 1
            await node.say(there, KARIM, f"{said} " + "س" * 7_000)
            await brisk.until(lambda: len(brisk.offsets(channel)) == said)  # noqa: B023

        assert not slow.is_open
        assert brisk.offsets(channel) == list(range(1, said + 1))


async def test_who_does_not_take_the_farewell_is_cut_off(node):
    async with unread(node, AMINA) as client:
        connection = only(node)
        wire = connection.wire
        for _ in range(800):
            wire.send(b'{"x":"%b"}' % (b"x" * 8_000))
            await asyncio.sleep(0)
        await node.until(lambda: not connection.is_open)
        # Longer than it may take: what is read from now on was left in the sockets.
        await node.until(lambda: wire.slot == 0)

        async with asyncio.timeout(PATIENCE):
            assert not (await everything(client)).endswith(b"0\r\n\r\n")


async def everything(client: socket.socket) -> bytes:
    """What still comes, until the connection is closed or reset."""
    loop = asyncio.get_running_loop()
    heard = b""
    with suppress(ConnectionResetError):
        while data := await loop.sock_recv(client, 65_536):
            heard = heard[-100:] + data
    return heard


async def test_a_client_that_reads_may_be_sent_any_amount(node):
    async with streaming(node, AMINA) as stream:
        wire = only(node).wire
        for number in range(20):
            wire.send(b'{"id":%d,"x":"%b"}' % (number + 2, b"x" * 60_000))
            await stream.answer(number + 2)

        assert only(node).is_open


@pytest.mark.parametrize("transport", ["sse", "uni_http_stream"])
async def test_streams_go_over_tls_as_well(sqlite_database, tmp_path, transport):
    certificate, key = self_signed(tmp_path)
    trusting = ssl.create_default_context(cafile=certificate)
    node = Node(sqlite_database, tls=trusting, tls_files=(certificate, key))
    async with serving(node):
        there = await node.conversation(AMINA)
        channel = channel_of(there)
        claims = {"channels": [channel]}
        async with streaming(
            node, AMINA, transport=transport, claims=claims, ssl=trusting
        ) as stream:
            await node.say(there, AMINA, *(f"{number} " + "س" * 3_000 for number in range(50)))
            await stream.until(lambda: stream.offsets(channel) == list(range(1, 51)))
            only(node).disconnect(4_000, "over")

            assert await stream.farewell() == {"code": 4_000, "reason": "over"}
