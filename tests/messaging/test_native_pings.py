"""Clients that want the WebSocket's own pings get those, and none of the protocol's."""

import pytest

from kernel.adapters.database import Database
from messaging.connections.framing import Opcode
from messaging.connections.quotas import ConnectionOptions
from tests.support.factories_messaging import AMINA
from tests.support.rawsocket import RawSocket, masked, raw_websocket
from tests.support.realtime import Node, serving

PATH = "/connection/websocket?cf_ws_frame_ping_pong=true"
OFTEN = ConnectionOptions(ping_seconds=1, pong_seconds=0.5)


async def connect(client: RawSocket, node: Node) -> bytes:
    client.send(masked(b'{"id":1,"connect":{"token":"%b"}}' % node.token(AMINA).encode()))
    return (await client.frame()).payload


async def test_the_websocket_pings_and_its_pongs_count(sqlite_database: Database):
    node = Node(sqlite_database, connection_options=OFTEN)
    async with serving(node), raw_websocket(node.port, path=PATH) as client:
        answer = await connect(client, node)
        assert b'"ping"' not in answer
        assert b'"pong"' not in answer

        for _ in range(3):
            assert await client.frame() == (Opcode.PING, b"")
            client.send(masked(b"", opcode=Opcode.PONG))


async def test_a_client_that_does_not_answer_them_is_closed(sqlite_database: Database):
    node = Node(sqlite_database, connection_options=OFTEN)
    async with serving(node), raw_websocket(node.port, path=PATH) as client:
        await connect(client, node)

        assert await client.close_code() == 3012


@pytest.mark.parametrize("path", [PATH, "/connection/websocket"])
async def test_a_pong_nobody_asked_for_does_no_harm(sqlite_database: Database, path: str):
    node = Node(sqlite_database)
    async with serving(node), raw_websocket(node.port, path=path) as client:
        client.send(masked(b"", opcode=Opcode.PONG))

        assert b'"connect"' in await connect(client, node)


async def test_a_server_that_cannot_send_them_sends_the_protocols(sqlite_database: Database):
    node = Node(sqlite_database, native=False, connection_options=OFTEN)
    async with serving(node), raw_websocket(node.port, path=PATH) as client:
        assert b'"ping":1,"pong":true' in await connect(client, node)
