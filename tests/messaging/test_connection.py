"""What one connection runs beside each other, in which order, and when it is held up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kernel.adapters.database import Database
from messaging.connections.quotas import ConnectionOptions
from messaging.protocol import results
from tests.messaging.doors import Doors
from tests.support.factories_messaging import AMINA
from tests.support.rawsocket import masked, raw_websocket
from tests.support.realtime import Node, channel_of, serving, talking


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
async def node(sqlite_database: Database, doors: Doors) -> AsyncIterator[Node]:
    options = ConnectionOptions(commands_per_second=0, rpcs_at_once=2, commands_waiting=10)
    built = Node(
        sqlite_database,
        connection_options=options,
        more_operations=doors.operations("a.slow", "b.slow", "c.slow"),
    )
    async with serving(built) as running:
        yield running
        for door in doors.doors.values():
            door.set()


def call(name: str) -> bytes:
    return b'{"call":"%b"}' % name.encode()


async def test_calls_of_different_methods_do_not_wait_for_each_other(node, doors):
    async with talking(node, AMINA) as talker:
        slow = talker.protocol.rpc("a.slow", call("a1"))
        quick = talker.protocol.rpc("b.slow", call("b1"))
        doors.open("b1")
        assert await talker.answer(quick) == results.RPCResult(call("b1"))
        assert slow not in talker.answers

        doors.open("a1")
        assert await talker.answer(slow) == results.RPCResult(call("a1"))


async def test_calls_of_one_method_keep_their_order(node, doors):
    async with talking(node, AMINA) as talker:
        first = talker.protocol.rpc("a.slow", call("a1"))
        second = talker.protocol.rpc("a.slow", call("a2"))
        await talker.flush()
        await node.until(lambda: doors.begun)
        doors.open("a2")
        assert doors.begun == ["a1"]

        doors.open("a1")
        await talker.answer(first)
        await talker.answer(second)
        assert doors.begun == ["a1", "a2"]


async def test_only_so_many_calls_run_at_once(node, doors):
    async with talking(node, AMINA) as talker:
        ids = [talker.protocol.rpc(f"{name}.slow", call(name)) for name in "abc"]
        await talker.flush()
        await node.until(lambda: len(doors.begun) == 2)
        assert doors.begun == ["a", "b"]

        doors.open("b")
        await talker.answer(ids[1])
        await node.until(lambda: doors.begun == ["a", "b", "c"])


async def test_a_subscription_does_not_wait_for_calls_before_it(node, doors):
    there = await node.conversation(AMINA)
    async with talking(node, AMINA) as talker:
        talker.protocol.rpc("a.slow", call("a"))
        result = await talker.subscribe(channel_of(there))

    assert isinstance(result, results.SubscribeResult)


async def test_a_client_that_asks_faster_than_it_is_served_is_not_read_from(node, doors):
    async with raw_websocket(node.port) as client:
        token = node.token(AMINA).encode()
        client.send(masked(b'{"id":1,"connect":{"token":"%b"}}' % token))
        await client.frame()
        [connection] = node.hub.connections
        for number in range(2, 5000):
            data = b'{"id":%d,"rpc":{"method":"a.slow","data":{"call":"x"}}}' % number
            client.send(masked(data + b" " * 2000))
        await node.until(lambda: connection._paused)
        waiting = len(connection._waiting)
        await asyncio.sleep(0.05)
        assert len(connection._waiting) == waiting < 1000

        doors.open("x")
        answered = 1
        while answered < 4999:
            answered += (await client.frame()).payload.count(b'"id"')
        assert not connection._paused


async def test_what_a_client_asked_before_it_left_is_done_all_the_same(node, doors):
    done: list[Any] = []
    async with talking(node, AMINA) as talker:
        talker.protocol.rpc("a.slow", call("a"))
        await talker.flush()
        await node.until(lambda: doors.begun)
        [connection] = node.hub.connections
        [task] = connection._running.values()
        task.add_done_callback(done.append)
    await node.until(lambda: not node.hub.connections)
    doors.open("a")

    await node.until(lambda: done)
    assert done[0].exception() is None
