"""What clients of streams say by requests of their own, at whichever node these arrive."""

import asyncio
import json

import aiohttp
import pytest

from kernel.bus import Publication
from messaging.connections.connection import Connection
from messaging.connections.quotas import ConnectionOptions
from messaging.nodes.control import node_channel
from messaging.nodes.nodes import NodeOptions
from messaging.protocol import client_pb2
from tests.messaging.doors import Doors
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, channel_of, serving
from tests.support.streaming import Stream, streaming


@pytest.fixture
async def node(sqlite_database):
    async with serving(Node(sqlite_database)) as running:
        yield running


@pytest.fixture
async def stream(node):
    async with streaming(node, AMINA) as opened:
        yield opened


def asked(id: int, method: str = "nothing") -> dict[str, object]:
    return {"id": id, "rpc": {"method": method}}


async def test_a_command_is_taken_at_once_and_answered_in_the_stream(stream):
    assert await stream.say(asked(2)) == 204

    assert (await stream.answer(2))["error"]["code"] == 104


async def test_a_chat_goes_both_ways(node, stream):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    await stream.say({"id": 2, "subscribe": {"channel": channel}})
    await stream.answer(2)
    body = {"conversation_id": str(there.id), "body": {"text": 'a"b\\ج'}, "idempotency_key": "k"}

    await stream.say({"id": 3, "rpc": {"method": "messages.send", "data": body}})

    assert (await stream.answer(3))["rpc"]["data"]["offset"] == 1
    await stream.until(lambda: stream.offsets(channel) == [1])


async def test_commands_are_handled_in_the_order_they_were_sent(node, stream):
    for id in range(2, 40):
        assert await stream.say(asked(id)) == 204
    await stream.answer(39)

    assert [answer["id"] for answer in stream.answers if "id" in answer] == list(range(1, 40))


async def test_pongs_keep_a_stream_and_silence_ends_it(sqlite_database):
    options = ConnectionOptions(ping_seconds=1, pong_seconds=0.5)
    async with (
        serving(Node(sqlite_database, connection_options=options)) as node,
        streaming(node, AMINA) as stream,
    ):
        for pings in (1, 2, 3):
            await stream.until(lambda: stream.answers.count({}) == pings)  # noqa: B023
            await stream.say({})

        assert await stream.farewell() == {"code": 3012, "reason": "no pong"}


async def test_protobuf_is_taken_as_it_is(stream):
    frame = b'{"id":2,"rpc":{"method":"nothing"}}'
    said = client_pb2.EmulationRequest(
        node=stream.connected["node"], session=stream.connected["session"], data=frame
    )

    status = await stream.post(
        said.SerializeToString(), **{"content-type": "application/octet-stream"}
    )

    assert status == 204
    assert (await stream.answer(2))["error"]["code"] == 104


async def test_a_bad_frame_ends_the_stream(stream):
    said = {"node": stream.connected["node"], "session": stream.connected["session"], "data": "["}

    assert await stream.post(json.dumps(said).encode()) == 204
    assert (await stream.farewell())["code"] == 3501


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"node":"n","session":"s"}',
        b'{"node":"n","session":"s","data":{}}',
        b'{"node":"n","session":"s","data":"\xff"}',
        rb'{"node":"n","session":"s","data":"\ud800"}',
        b"[" * 60_000,
    ],
)
async def test_what_is_no_request_of_this_kind_is_refused(stream, body):
    assert await stream.post(body) == 400


async def test_a_node_that_nobody_knows_is_not_found(sqlite_database):
    options = NodeOptions(announce_seconds=0.1, missing_seconds=60)
    async with (
        serving(Node(sqlite_database, node_options=options)) as node,
        streaming(node, AMINA) as stream,
    ):
        body = {"node": "elsewhere", "session": stream.connected["session"], "data": "{}"}
        # A new node has not heard of everybody yet.
        assert await stream.post(json.dumps(body).encode()) == 204
        await node.until(lambda: not node.nodes.may_live("elsewhere"))

        assert await stream.post(json.dumps(body).encode()) == 404


@pytest.mark.parametrize("change", ["handle", "secret", "shorter", "longer", "other letters"])
async def test_whoever_does_not_know_the_session_is_not_heard(stream, change):
    session = stream.connected["session"]
    guesses = {
        "handle": session[::-1],
        "secret": session[:-1] + ("A" if session[-1] != "A" else "B"),
        "shorter": session[:12],
        "longer": session + "A",
        "other letters": session[:12] + "س",
    }

    # As quiet as for a stream that is gone: nothing is to be learned by asking.
    assert await stream.say(asked(2), session=guesses[change]) == 204
    await stream.say(asked(3))

    await stream.answer(3)
    assert [answer["id"] for answer in stream.answers if "id" in answer] == [1, 3]


async def test_a_session_ends_with_its_stream(node):
    async with streaming(node, AMINA) as gone, streaming(node, AMINA) as other:
        gone.close()
        await node.until(lambda: len(node.hub.connections) == 1)

        assert node.sessions._wires.keys() == {other.connected["session"][:12]}
        assert await gone.say(asked(2)) == 204


@pytest.mark.parametrize(("more", "status"), [(0, 204), (1, 413)])
async def test_a_frame_may_have_as_many_bytes_as_over_a_websocket(stream, more, status):
    """However many its quotes become when it travels as a string."""
    frame = '{"id":2,"rpc":{"method":"nothing","data":[%s""]}}'
    room = 65_536 - len(frame) + 2 + more
    data = frame % ('"",' * (room // 3) + " " * (room % 3))
    assert len(data) == 65_536 + more
    said = {
        "node": stream.connected["node"], "session": stream.connected["session"], "data": data
    }  # fmt: skip

    assert await stream.post(json.dumps(said).encode()) == status


async def test_a_declared_length_is_refused_before_anything_is_read(node):
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    head = "POST /emulation HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000000\r\n\r\n"
    writer.write(head.encode())

    answer = await reader.readuntil(b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer
    writer.close()


async def test_a_body_without_a_length_is_read_no_further_than_allowed(node, stream):
    async def endless():
        while True:
            yield b"x" * 10_000

    with pytest.raises((aiohttp.ClientError, AssertionError)):
        assert await stream.post(endless()) != 413


async def test_a_body_that_does_not_come_is_not_waited_for(sqlite_database):
    async with serving(Node(sqlite_database, body_seconds=0.2)) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(b"POST /emulation HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12")

        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_what_is_said_to_another_node_is_handled_where_the_stream_is(sqlite_database, bus):
    here = Node(sqlite_database, bus=bus)
    there = Node(sqlite_database, bus=bus)
    async with serving(here), serving(there), streaming(here, AMINA) as stream:
        for id in range(2, 12):
            assert await stream.say(asked(id), at=there) == 204

        await stream.answer(11)

    assert [answer["id"] for answer in stream.answers if "id" in answer] == list(range(1, 12))


async def test_what_other_nodes_send_is_no_frame_unless_it_says_so(node, stream):
    channel = node_channel(node.node_id)
    for data in (b"{}", b"[]", b"nonsense", b'{"type":"later"}', b'{"type":"said"}'):
        node.bus.publish([Publication(channel, data, extra=b'{"id":9,"rpc":{}}')])
    await stream.say(asked(2))

    await stream.answer(2)
    assert [answer["id"] for answer in stream.answers if "id" in answer] == [1, 2]


class Held:
    """A node on which calls end when the test says so, and few may wait."""

    def __init__(self, database) -> None:
        self.doors = Doors()
        options = ConnectionOptions(commands_waiting=4, rpcs_at_once=1, commands_per_second=0)
        self.node = Node(
            database,
            connection_options=options,
            more_operations=self.doors.operations("doors"),
        )

    async def fill(self, stream: Stream) -> None:
        """Until the connection reads no more."""
        for id in range(2, 8):
            await stream.say({"id": id, "rpc": {"method": "doors", "data": {"call": str(id)}}})
        await self.node.until(lambda: self.connection._paused)

    @property
    def connection(self) -> Connection:
        return next(iter(self.node.hub.connections))


async def test_what_comes_while_nothing_more_is_taken_waits_its_turn(sqlite_database):
    held = Held(sqlite_database)
    async with serving(held.node), streaming(held.node, AMINA) as stream:
        await held.fill(stream)
        for id in range(8, 40):
            await stream.say({"id": id, "rpc": {"method": "doors", "data": {"call": str(id)}}})

        for id in range(2, 40):
            held.doors.open(str(id))

        await stream.answer(39)
        assert held.doors.begun == [str(id) for id in range(2, 40)]


async def test_who_says_too_much_too_often_is_sent_away(sqlite_database):
    held = Held(sqlite_database)
    async with serving(held.node), streaming(held.node, AMINA) as stream:
        await held.fill(stream)

        for _ in range(257):
            await stream.say({})

        assert (await stream.farewell())["code"] == 3013


async def test_who_says_more_than_can_wait_is_sent_away(sqlite_database):
    held = Held(sqlite_database)
    async with serving(held.node), streaming(held.node, AMINA) as stream:
        await held.fill(stream)

        for id in range(8, 13):
            data = {"call": "x" * 60_000}
            await stream.say({"id": id, "rpc": {"method": "doors", "data": data}})

        assert (await stream.farewell())["code"] == 3013
