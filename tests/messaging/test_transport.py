"""Our WebSocket protocol on a real uvicorn, spoken to byte by byte."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator

import pytest
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from kernel.adapters.database import Database
from messaging.connections.departures import WireOptions
from messaging.connections.quotas import ConnectionOptions
from messaging.protocol.results import ConnectResult
from messaging.sockets.endpoint import Endpoint
from messaging.sockets.handshake import EARLY_BYTES, EXTENSION, WebSocketProtocol
from tests.support.certificates import self_signed
from tests.support.factories_messaging import AMINA, KARIM, LINA
from tests.support.rawsocket import RawSocket, masked, raw_socket, raw_websocket
from tests.support.realtime import Node, channel_of, serving, talking


async def echo(websocket: WebSocket) -> None:
    """An endpoint that knows nothing of takeovers."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


@pytest.fixture(params=[True, False], ids=["compiled", "in Python"])
async def node(sqlite_database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Node]:
    wires = WireOptions(
        message_bytes=65_536, backlog_bytes=262_144, close_seconds=0.5, compiled=request.param
    )
    routes = [WebSocketRoute("/echo", echo)]
    async with serving(Node(sqlite_database, wire_options=wires, routes=routes)) as running:
        yield running


def connect_command(node: Node, user_id: str = AMINA) -> bytes:
    return b'{"id":1,"connect":{"token":"%b"}}' % node.token(user_id).encode()


async def connected(client: RawSocket, node: Node) -> None:
    client.send(masked(connect_command(node)))
    assert b'"connect"' in (await client.frame()).payload


def narrow(node: Node) -> None:
    """Let the sockets of all connections there are hold little, so that they fill up soon."""
    for connection in node.hub.connections:
        there = connection.wire._transport.get_extra_info("socket")
        there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)


# --- handshake ------------------------------------------------------------------------------------


async def test_an_empty_subprotocol_header_is_none(node):
    """H2: centrifuge-python up to 0.5 sends it."""
    async with raw_websocket(node.port, Sec_WebSocket_Protocol="") as client:
        assert "sec-websocket-protocol" not in client.headers
        await connected(client, node)


async def test_compression_is_never_agreed(node):
    """H4: it costs memory and delays small frames."""
    offer = "permessage-deflate; client_max_window_bits"
    async with raw_websocket(node.port, Sec_WebSocket_Extensions=offer) as client:
        assert "sec-websocket-extensions" not in client.headers


async def test_what_a_client_says_before_the_handshake_is_answered_is_heard(sqlite_database):
    """Also a frame of which half is here when the connection is taken over."""
    node = Node(sqlite_database)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def late(websocket: WebSocket) -> None:
        asked.set()
        await answer.wait()
        await Endpoint(node.gateway).serve(websocket)

    node.routes = [WebSocketRoute("/late", late)]
    async with serving(node), raw_socket(node.port) as client:
        client.send(client.request(path="/late"))
        await asked.wait()
        command = connect_command(node)
        data = masked(command[:9], fin=False) + masked(command[9:], opcode=0)
        client.send(data[:30])
        await node.until(lambda: _early(node))
        answer.set()
        assert await client.response() == 101
        client.send(data[30:])

        assert b'"connect"' in (await client.frame()).payload


async def test_a_client_that_says_too_much_before_the_handshake_is_held_up(sqlite_database):
    node = Node(sqlite_database)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def late(websocket: WebSocket) -> None:
        asked.set()
        await answer.wait()
        await Endpoint(node.gateway).serve(websocket)

    node.routes = [WebSocketRoute("/late", late)]
    async with serving(node), raw_socket(node.port) as client:
        client.send(client.request(path="/late"))
        await asked.wait()
        client.send(masked(connect_command(node)), *[masked(b"x" * 60_000, opcode=9)] * 100)
        await node.until(lambda: _early(node) > EARLY_BYTES)
        assert _early(node) < 1_000_000
        answer.set()

        assert await client.response() == 101
        assert await client.close_code() == 1002


def _early(node: Node) -> int:
    """Bytes that handshakes under way hold back."""
    return sum(
        len(each._early or b"")
        for each in node.server.server_state.connections
        if isinstance(each, WebSocketProtocol)
    )


async def test_other_endpoints_of_the_server_work_as_ever(node):
    async with raw_websocket(node.port, path="/echo") as client:
        client.send(masked(b"one"), masked("اثنان".encode()))

        assert (await client.frame()).payload == b"one"
        assert (await client.frame()).payload.decode() == "اثنان"


async def test_a_request_without_a_key_is_no_handshake(node):
    async with raw_socket(node.port) as client:
        client.send(client.request(Sec_WebSocket_Key=None))

        assert await client.response() == 400


# --- frames ---------------------------------------------------------------------------------------


async def test_a_command_may_come_byte_by_byte_and_in_fragments(node):
    async with raw_websocket(node.port) as client:
        command = connect_command(node)
        data = masked(command[:9], fin=False) + masked(b"hi", opcode=9)
        data += masked(command[9:], opcode=0)
        client.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            client.send(bytes([byte]))
            await asyncio.sleep(0)

        assert await client.frame() == (10, b"hi")
        assert b'"connect"' in (await client.frame()).payload


async def test_the_opcode_of_a_command_does_not_matter(node):
    async with raw_websocket(node.port) as client:
        client.send(masked(connect_command(node), opcode=2))

        assert (await client.frame()).opcode == 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(masked(b"{}", rsv=4), 1002, id="reserved bits"),
        pytest.param(masked(b"{}", mask=False), 1002, id="not masked"),
        pytest.param(masked(b"{}", opcode=5), 1002, id="unknown opcode"),
        pytest.param(masked(b"{}", opcode=0), 1002, id="continuation of nothing"),
        pytest.param(masked(b"x" * 126, opcode=9), 1002, id="long ping"),
        pytest.param(masked(b"\xed\xa0\x80"), 1007, id="lone surrogate"),
        pytest.param(masked(b"\xff"), 1007, id="not UTF-8"),
        pytest.param(masked(b"", length=65_537), 1009, id="too long"),
        pytest.param(masked(b"", length=2**62), 1009, id="absurdly long"),
        pytest.param(masked(b"\x03\xed", opcode=8), 1002, id="close code nobody may send"),
    ],
)
async def test_a_broken_frame_ends_the_connection_with_its_code(node, frame, code):
    async with raw_websocket(node.port) as client:
        client.send(frame)

        assert await client.close_code() == code


async def test_a_message_of_the_full_size_is_taken(node):
    async with raw_websocket(node.port) as client:
        command = connect_command(node)
        client.send(masked(command + b" " * (65_536 - len(command))))

        assert b'"connect"' in (await client.frame()).payload


# --- closing --------------------------------------------------------------------------------------


async def test_the_client_closes_and_is_answered(node):
    async with raw_websocket(node.port) as client:
        await connected(client, node)
        client.send(masked(b"\x03\xe8bye", opcode=8))

        assert await client.close_code() == 1000
        assert await client.ended()
    await node.until(lambda: not node.hub.connections)


async def test_the_server_closes_and_waits_for_the_answer(node):
    async with raw_websocket(node.port) as client:
        client.send(masked(b'{"id":1,"rpc":{}}'))
        assert await client.close_code() == 3501
        await node.until(lambda: not node.hub.connections)

        client.send(masked(b"ignored"), masked(b"\x0d\xad", opcode=8))
        assert await client.ended()


async def test_a_client_that_does_not_answer_a_close_is_cut_off(node):
    async with raw_websocket(node.port) as client:
        client.send(masked(b"nonsense"))
        assert await client.close_code() == 3501

        assert await client.ended()


async def test_a_client_that_vanishes_is_forgotten(node):
    async with raw_websocket(node.port) as client:
        await connected(client, node)
        assert len(node.hub.connections) == 1
        # RST instead of FIN.
        client.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    await node.until(lambda: not node.hub.connections)


async def test_a_client_that_vanishes_during_the_handshake_leaves_nothing(node):
    async with raw_socket(node.port) as client:
        client.send(client.request())
    async with talking(node, AMINA):
        await node.until(lambda: len(node.hub.connections) == 1)


async def test_a_client_that_is_gone_before_the_takeover_is_no_surprise(sqlite_database):
    node = Node(sqlite_database)
    surprises: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: surprises.append(context))

    async def too_late(websocket: WebSocket) -> None:
        accept = websocket.accept

        async def then_reset(**more: object) -> None:
            await accept(**more)
            websocket.scope["extensions"][EXTENSION].__self__.transport.abort()

        websocket.accept = then_reset
        await Endpoint(node.gateway).serve(websocket)

    node.routes = [WebSocketRoute("/too-late", too_late)]
    async with serving(node), raw_socket(node.port) as client:
        client.send(client.request(path="/too-late"))
        assert await client.ended()
        await node.until(lambda: not node.server.server_state.connections)

    assert not node.hub.connections
    assert surprises == []


# --- writing --------------------------------------------------------------------------------------


async def test_everything_of_one_turn_leaves_together_and_in_order(node):
    """A frame with many commands is answered by one frame."""
    async with raw_websocket(node.port) as client:
        await connected(client, node)
        commands = [b'{"id":%d,"rpc":{"method":"none.%d"}}' % (i, i) for i in range(2, 6)]
        client.send(masked(b"\n".join(commands)))

        answers = (await client.frame()).payload.split(b"\n")
        assert len(answers) == 4
        assert all(b'"code":104' in answer for answer in answers)


async def test_a_slow_consumer_is_closed_and_the_others_keep_receiving(node):
    there = await node.conversation(AMINA, KARIM, LINA)
    channel = channel_of(there)
    async with (
        raw_websocket(node.port) as slow,
        talking(node, KARIM) as brisk,
    ):
        await connected(slow, node)
        narrow(node)
        slow.send(masked(b'{"id":2,"subscribe":{"channel":"%b"}}' % channel.encode()))
        await slow.frame()
        slow.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await brisk.subscribe(channel)
        karims = next(each for each in node.hub.connections if each.user_id == KARIM)

        said = 0
        while len(node.hub.connections) > 1:
            said += 1
            assert said < 500, "the slow client is still there"
            await node.say(there, AMINA, f"{said} " + "س" * 7000)
            await brisk.until(lambda: len(brisk.offsets(channel)) == said)  # noqa: B023

        assert list(node.hub.connections) == [karims]
        assert brisk.offsets(channel) == list(range(1, said + 1))
        slow.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert await slow.close_code() == 3008


async def test_a_client_that_falls_behind_and_catches_up_misses_nothing(node):
    """What did not fit into the socket waits, in order, and the fast path is taken up again."""
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    async with raw_websocket(node.port) as client:
        await connected(client, node)
        narrow(node)
        client.send(masked(b'{"id":2,"subscribe":{"channel":"%b"}}' % channel.encode()))
        await client.frame()
        [wire] = [each.wire for each in node.hub.connections]
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        said = 0
        while not wire._backlog:
            said += 1
            assert said < 500, "everything fits into the socket"
            await node.say(there, KARIM, f"{said} " + "س" * 7000)
            await node.until(lambda: node.following.find(channel).ordering.offset == said)  # noqa: B023
        said += 1
        await node.say(there, KARIM, f"{said} one more")

        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        offsets = [await _offset(client) for _ in range(said)]

        assert offsets == list(range(1, said + 1))
        await node.until(lambda: not wire._backlog)
        await node.say(there, KARIM, "again")
        assert await _offset(client) == said + 1


async def _offset(client: RawSocket) -> int:
    payload = (await client.frame()).payload
    return int(payload.rpartition(b'"offset":')[2].split(b"}")[0])


# --- the rest -------------------------------------------------------------------------------------


async def test_the_same_over_tls(sqlite_database, tmp_path):
    certificate, key = self_signed(tmp_path)
    trusting = ssl.create_default_context(cafile=certificate)
    node = Node(sqlite_database, tls=trusting, tls_files=(certificate, key))
    async with serving(node):
        there = await node.conversation(AMINA, KARIM)
        channel = channel_of(there)
        async with talking(node, AMINA) as amina:
            await amina.subscribe(channel)
            await node.say(there, KARIM, *(f"{i} " + "x" * 3000 for i in range(50)))
            await amina.until(lambda: amina.offsets(channel) == list(range(1, 51)))


async def test_a_ping_is_due_and_who_does_not_answer_is_closed(sqlite_database):
    options = ConnectionOptions(ping_seconds=1, pong_seconds=0.2)
    async with (
        serving(Node(sqlite_database, connection_options=options)) as node,
        raw_websocket(node.port) as client,
    ):
        client.send(masked(connect_command(node)))
        assert b'"ping":1' in (await client.frame()).payload

        assert (await client.frame()).payload == b"{}"
        client.send(masked(b"{}"))
        assert (await client.frame()).payload == b"{}"
        assert await client.close_code() == 3012


async def test_a_client_that_says_nothing_is_stale(sqlite_database):
    options = ConnectionOptions(connect_seconds=0.3)
    async with (
        serving(Node(sqlite_database, connection_options=options)) as node,
        raw_websocket(node.port) as client,
    ):
        assert await client.close_code() == 3502


async def test_when_uvicorn_stops_undrained_clients_are_told_to_come_back(sqlite_database):
    node = Node(sqlite_database)
    async with serving(node):
        port = node.port
        client = RawSocket(*await asyncio.open_connection("127.0.0.1", port))
        client.send(client.request())
        await client.response()
        await connected(client, node)
    assert await client.close_code() == 3001
    client.writer.close()


async def test_a_connection_works_right_after_another_on_the_same_descriptor_ended(node):
    for _ in range(20):
        async with raw_websocket(node.port) as client:
            await connected(client, node)
        async with talking(node, KARIM) as talker:
            assert isinstance(talker.protocol.session, ConnectResult)
