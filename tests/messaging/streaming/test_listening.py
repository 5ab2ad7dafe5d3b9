"""Programs that only listen, without an SDK: over events, lines, lengths and WebSockets."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from messaging.commands.gate import GateOptions
from messaging.connections.quotas import ConnectionOptions
from messaging.nodes.control import Subscribe, Unsubscribe
from messaging.protocol import client_pb2
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import PATIENCE, Node, channel_of, serving
from tests.support.streaming import Stream, streaming

STREAMS = ["uni_sse", "uni_http_stream"]


@pytest.fixture(params=[True, False], ids=["our protocol", "plain ASGI"])
async def node(sqlite_database, request):
    options = ConnectionOptions(ping_seconds=1, pong_seconds=0.2)
    async with serving(
        Node(sqlite_database, native=request.param, connection_options=options)
    ) as running:
        yield running


@pytest.mark.parametrize("transport", STREAMS)
async def test_the_first_push_tells_of_the_connection(node, transport):
    async with streaming(node, AMINA, transport=transport) as stream:
        assert stream.connected["client"] == next(iter(node.hub.connections)).client
        assert stream.connected["version"] == "zaffa test"
        assert stream.connected["ping"] == 1
        assert "pong" not in stream.connected
        assert len(stream.connected["session"]) >= 32
        assert node.metric("messaging_connections", transport=transport) == 1


@pytest.mark.parametrize("transport", STREAMS)
async def test_pings_come_and_want_no_answer(node, transport):
    async with streaming(node, AMINA, transport=transport) as stream:
        await stream.until(lambda: stream.answers.count({}) == 3)


@pytest.mark.parametrize("transport", STREAMS)
async def test_the_channels_of_the_token_are_listened_to(node, transport):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    claims = {"channels": [channel]}
    async with streaming(node, AMINA, transport=transport, claims=claims) as stream:
        await node.say(there, AMINA, "مرحبا")

        await stream.until(lambda: stream.offsets(channel) == [1])
        push = next(answer for answer in stream.answers if answer.get("channel") == channel)
        assert push["pub"]["data"]["body"] == {"text": "مرحبا"}
        assert stream.connected["subs"][channel]["recoverable"] is True


@pytest.mark.parametrize("transport", STREAMS)
async def test_what_a_listener_may_subscribe_to_it_may_ask_for(node, transport):
    hers, others = await node.conversation(AMINA), await node.conversation(KARIM)
    subs = {channel_of(hers): {}, channel_of(others): {}}
    async with streaming(node, AMINA, transport=transport, subs=subs) as stream:
        await node.say(hers, AMINA, "مرحبا")

        await stream.until(lambda: stream.offsets(channel_of(hers)) == [1])
        assert stream.connected["subs"].keys() == {channel_of(hers)}


@pytest.mark.parametrize("transport", STREAMS)
async def test_what_was_missed_comes_with_the_connect(node, transport):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    claims = {"channels": [channel]}
    async with streaming(node, AMINA, transport=transport, claims=claims) as stream:
        epoch = stream.connected["subs"][channel]["epoch"]
    await node.say(there, AMINA, "one", "two")
    subs = {channel: {"recover": True, "epoch": epoch, "offset": 0}}

    async with streaming(node, AMINA, transport=transport, claims=claims, subs=subs) as stream:
        recovered = stream.connected["subs"][channel]

    assert recovered["recovered"] is True
    assert [each["offset"] for each in recovered["publications"]] == [1, 2]


@pytest.mark.parametrize("transport", STREAMS)
async def test_a_channel_may_be_added_and_taken_away(node, transport):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    async with streaming(node, AMINA, transport=transport) as stream:
        node.hub.obey(Subscribe(user_id=AMINA, channel=channel))
        await stream.until(lambda: {"recoverable"} <= _of(stream, channel, "subscribe").keys())
        node.hub.obey(Unsubscribe(user_id=AMINA, channel=channel, code=2000))

        await stream.until(lambda: _of(stream, channel, "unsubscribe").get("code") == 2000)


def _of(stream: Stream, channel: str, event: str) -> dict[str, Any]:
    """What was said of this kind, if it was."""
    found = (answer for answer in stream.answers if answer.get("channel") == channel)
    return next((answer[event] for answer in found if event in answer), {})


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize(
    ("seconds", "secret", "code"),
    [(-120, None, 3005), (None, "not the secret, and long enough to be one", 3500)],
)
async def test_a_refused_connect_is_a_disconnect(node, transport, seconds, secret, code):
    more = {} if secret is None else {"secret": secret}
    request = json.dumps({"token": node.token(AMINA, seconds=seconds, **more)}).encode()
    async with streaming(node) as stream:
        await stream.open(transport, request)

        assert (await stream.farewell())["code"] == code
        assert len(stream.answers) == 1


async def test_a_node_that_is_too_busy_says_so_by_a_disconnect(sqlite_database):
    node = Node(sqlite_database, gate_options=GateOptions(admitted=1))
    async with serving(node), node.parts.gate.admitted(), streaming(node) as stream:
        request = json.dumps({"token": node.token(AMINA)}).encode()
        await stream.open("uni_sse", request)

        assert await stream.farewell() == {"code": 3013, "reason": "too many requests"}


async def test_who_says_nothing_at_all_is_told_that_a_token_is_missing(node):
    async with streaming(node) as stream:
        stream._response = await stream._http.get(f"{node.http_url}/connection/uni_sse")

        assert (await stream.farewell())["code"] == 3501


async def test_lengths_and_messages_where_the_request_is_protobuf(node):
    request = client_pb2.ConnectRequest(token=node.token(AMINA)).SerializeToString()
    headers = {"content-type": "application/octet-stream"}
    url = f"{node.http_url}/connection/uni_http_stream"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=request, headers=headers) as answer,
        asyncio.timeout(PATIENCE),
    ):
        size = (await answer.content.readexactly(1))[0]
        first = client_pb2.Push.FromString(await answer.content.readexactly(size))
        ping = await answer.content.readexactly(1)
        next(iter(node.hub.connections)).disconnect(3001)
        size = (await answer.content.readexactly(1))[0]
        last = client_pb2.Push.FromString(await answer.content.readexactly(size))
        assert await answer.content.read() == b""

    assert first.connect.version == "zaffa test"
    assert ping == b"\x00"
    assert last.disconnect.code == 3001


def websocket(node: Node, query: str = ""):
    url = node.url.replace("/websocket", "/uni_websocket")
    return connect(f"{url}{query}", compression=None, ping_interval=None)


async def test_a_websocket_is_told_of_its_connection_by_its_first_message(node):
    async with websocket(node) as listener, asyncio.timeout(PATIENCE):
        await listener.send(json.dumps({"token": node.token(AMINA)}))

        told = json.loads(await listener.recv())["connect"]
        assert (told["version"], len(told["session"])) == ("zaffa test", 48)
        assert await listener.recv() == "{}"
        assert node.metric("messaging_connections", transport="uni_websocket") == 1


async def test_a_websocket_may_say_who_it_is_in_its_address(node):
    request = quote(json.dumps({"token": node.token(AMINA)}))
    async with websocket(node, f"?cf_connect={request}") as listener, asyncio.timeout(PATIENCE):
        assert "connect" in json.loads(await listener.recv())


async def test_an_address_that_says_nonsense_is_refused(node):
    with pytest.raises(InvalidStatus) as refused:
        async with websocket(node, "?cf_connect=nonsense"):
            pass

    assert refused.value.response.status_code == 400


async def test_what_a_websocket_says_later_is_not_heard(node):
    async with websocket(node) as listener, asyncio.timeout(PATIENCE):
        await listener.send(json.dumps({"token": node.token(AMINA)}))
        await listener.recv()
        await listener.send("nonsense")

        assert await listener.recv() == "{}"
        assert len(node.hub.connections) == 1


async def test_pushes_of_one_turn_are_messages_of_their_own(node):
    async with websocket(node) as listener, asyncio.timeout(PATIENCE):
        await listener.send(json.dumps({"token": node.token(AMINA)}))
        await listener.recv()
        (connection,) = node.hub.connections
        connection.unsubscribed("a", 2000, "over")
        connection.unsubscribed("b", 2000, "over")

        assert [json.loads(await listener.recv())["channel"] for _ in "ab"] == ["a", "b"]


async def test_a_websocket_that_is_closed_is_told_by_a_push_and_by_the_close_frame(node):
    async with websocket(node) as listener, asyncio.timeout(PATIENCE):
        await listener.send(json.dumps({"token": node.token(AMINA)}))
        await listener.recv()
        next(iter(node.hub.connections)).disconnect(4_501, "enough")
        last = json.loads(await listener.recv())
        with pytest.raises(ConnectionClosed) as closed:
            await listener.recv()

    assert last == {"disconnect": {"code": 4_501, "reason": "enough"}}
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4_501, "enough")
