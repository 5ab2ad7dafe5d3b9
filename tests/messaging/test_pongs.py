"""A client that answered its ping in time is kept, however late anybody reads the answer."""

import asyncio

from kernel.adapters.database import Database
from messaging.connections.connection import Connection
from messaging.connections.quotas import ConnectionOptions
from messaging.connections.wheel import GRAIN
from tests.messaging.doors import Doors
from tests.support.clock import ManualClock
from tests.support.factories_messaging import AMINA
from tests.support.rawsocket import RawSocket, masked, raw_websocket
from tests.support.realtime import Node, serving

PING = b"{}"
PONG = masked(b"{}")


async def connected(client: RawSocket, node: Node) -> None:
    client.send(masked(b'{"id":1,"connect":{"token":"%b"}}' % node.token(AMINA).encode()))
    assert b'"connect"' in (await client.frame()).payload


async def turn(node: Node, clock: ManualClock, *, seconds: float) -> None:
    """Let the wheel turn for a while, and the loop between its turns."""
    for _ in range(round(seconds / GRAIN)):
        clock.move(seconds=GRAIN)
        await node.wheel.step()
        await asyncio.sleep(0)


async def pinged(client: RawSocket, node: Node, clock: ManualClock) -> Connection:
    """The client's connection, as soon as it has been sent a ping."""
    [connection] = node.hub.connections
    while connection.protocol._pong_by == float("inf"):
        await turn(node, clock, seconds=GRAIN)
    assert (await client.frame()).payload == PING
    return connection


async def test_a_pong_that_lay_in_its_socket_while_the_loop_stood_still_counts(
    sqlite_database: Database, clock: ManualClock
):
    node = Node(sqlite_database, clock=clock)
    async with serving(node, workers=[node.hub]), raw_websocket(node.port) as client:
        await connected(client, node)
        connection = await pinged(client, node, clock)

        client.send(PONG)
        clock.move(seconds=20)
        await node.wheel.step()
        assert connection.is_open

        await node.until(lambda: connection.protocol._pong_by == float("inf"))
        await turn(node, clock, seconds=1)
        assert connection.is_open


async def test_who_did_not_answer_while_the_loop_stood_still_is_closed_all_the_same(
    sqlite_database: Database, clock: ManualClock
):
    node = Node(sqlite_database, clock=clock)
    async with serving(node, workers=[node.hub]), raw_websocket(node.port) as client:
        await connected(client, node)
        await pinged(client, node, clock)

        clock.move(seconds=20)
        await node.wheel.step()
        clock.move(seconds=20)
        await node.wheel.step()
        assert await client.close_code() == 3012


async def test_a_client_that_is_not_read_from_is_not_expected_to_answer(sqlite_database: Database):
    doors = Doors()
    node = Node(
        sqlite_database,
        connection_options=ConnectionOptions(ping_seconds=1, pong_seconds=0.1, commands_waiting=1),
        more_operations=doors.operations("a.slow"),
    )
    async with serving(node), raw_websocket(node.port) as client:
        await connected(client, node)
        [connection] = node.hub.connections
        for number in (2, 3):
            client.send(masked(b'{"id":%d,"rpc":{"method":"a.slow"}}' % number))
        await node.until(lambda: connection._paused)
        assert (await client.frame()).payload == PING
        client.send(PONG)
        await asyncio.sleep(4 * GRAIN)
        assert connection.is_open

        doors.open("")
        assert b'"id":2' in (await client.frame()).payload
        assert b'"id":3' in (await client.frame()).payload
        assert (await client.frame()).payload == PING
