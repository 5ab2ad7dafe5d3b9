"""How streams begin: whom they are for, what their heads say, and who is sent away."""

import json

import aiohttp
import pytest

from messaging.protocol import client_pb2
from messaging.sockets.gateway import GatewayOptions
from tests.support.factories_messaging import AMINA
from tests.support.realtime import Node, serving
from tests.support.streaming import streaming

PAGE = "https://app.example.com"


@pytest.fixture(params=["our protocol", "plain ASGI"])
async def node(sqlite_database, request):
    options = GatewayOptions(connections=3, origins=(PAGE,))
    native = request.param == "our protocol"
    async with serving(Node(sqlite_database, native=native, gateway_options=options)) as running:
        yield running


def connecting(node) -> bytes:
    return json.dumps({"id": 1, "connect": {"token": node.token(AMINA)}}).encode()


@pytest.mark.parametrize("transport", ["sse", "http_stream"])
async def test_the_connect_result_names_session_and_node(node, transport):
    async with streaming(node, AMINA, transport=transport) as stream:
        assert len(stream.connected["session"]) >= 32
        assert stream.connected["node"] == node.node_id
        assert stream.connected["pong"] is True
        assert node.metric("messaging_connections", transport=transport) == 1
    await node.until(lambda: node.metric("messaging_connections", transport=transport) == 0)


async def test_a_session_is_never_the_same(node):
    async with streaming(node, AMINA) as one, streaming(node, AMINA) as other:
        assert one.connected["session"] != other.connected["session"]


async def test_server_sent_events_begin_at_once_and_stand_one_by_one(node):
    async with streaming(node, AMINA, transport="sse") as stream:
        await stream.say({"id": 2, "rpc": {"method": "x"}}, {"id": 3, "rpc": {"method": "y"}})
        await stream.answer(3)

        assert stream.response.status == 200
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.raw.startswith(b"\r\ndata: {")
        assert stream.raw.count(b"data: ") == stream.raw.count(b"\n\n") == 3


async def test_nobody_on_the_way_keeps_or_holds_back_a_stream(node):
    async with streaming(node, AMINA) as stream:
        told = stream.response.headers

    assert told["x-accel-buffering"] == "no"
    assert told["cache-control"] == "private, no-cache, no-store, must-revalidate, max-age=0"
    assert told["expire"] == "0"
    assert told["pragma"] == "no-cache"


async def test_commands_may_come_with_the_connect(node):
    there = await node.conversation(AMINA)
    channel = f"conversation:{there.id}"
    async with streaming(node) as stream:
        subscribe = json.dumps({"id": 2, "subscribe": {"channel": channel}}).encode()

        await stream.open("http_stream", connecting(node) + b"\n" + subscribe)

        assert (await stream.answer(2))["subscribe"]["recoverable"] is True
        await node.say(there, AMINA, "مرحبا")
        await stream.until(lambda: stream.offsets(channel) == [1])


async def test_server_sent_events_may_begin_with_a_post(node):
    async with aiohttp.ClientSession() as session:
        url = f"{node.http_url}/connection/sse"
        async with session.post(url, data=connecting(node)) as answer:
            assert answer.status == 200
            assert await answer.content.readline() == b"\r\n"
            assert b'"connect"' in await answer.content.readline()


async def test_protobuf_is_spoken_when_the_request_is_protobuf(node):
    connect = client_pb2.ConnectRequest(token=node.token(AMINA))
    command = client_pb2.Command(id=1, connect=connect).SerializeToString()
    body = bytes((len(command) & 0x7F | 0x80, len(command) >> 7)) + command
    headers = {"content-type": "application/octet-stream"}
    url = f"{node.http_url}/connection/http_stream"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        assert answer.headers["content-type"] == "application/octet-stream"
        size = await answer.content.readexactly(2)
        reply = await answer.content.readexactly((size[0] & 0x7F) | size[1] << 7)

    assert client_pb2.Reply.FromString(reply).connect.node == node.node_id


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/connection/sse", None, 400),
        ("GET", "/connection/sse?cf_connect=", None, 400),
        ("HEAD", "/connection/sse?cf_connect=%7B%7D", None, 405),
        ("PUT", "/connection/sse", b"{}", 405),
        ("GET", "/connection/http_stream", None, 405),
        ("POST", "/connection/http_stream", b"", 400),
        ("POST", "/connection/http_stream", b"x" * 65_537, 413),
        ("GET", "/connection/uni_sse?cf_connect=nonsense", None, 400),
        ("POST", "/connection/uni_http_stream", b"", 400),
        ("POST", "/connection/uni_http_stream", b"[]", 400),
        ("GET", "/connection/uni_websocket", None, 404),
        ("GET", "/emulation", None, 405),
    ],
)
async def test_what_cannot_become_a_stream_has_a_status(node, method, path, body, status):
    async with (
        aiohttp.ClientSession(headers={"content-type": "application/json"}) as session,
        session.request(method, f"{node.http_url}{path}", data=body) as answer,
    ):
        assert answer.status == status
        assert node.hub.connections == {}


@pytest.mark.parametrize("transport", ["sse", "http_stream"])
async def test_what_is_no_command_ends_the_stream_with_3501(node, transport):
    async with streaming(node) as stream:
        await stream.open(transport, b"not json")

        assert (await stream.farewell())["code"] == 3501


async def test_a_forged_token_ends_the_stream_with_3500(node):
    async with streaming(node) as stream:
        await stream.open("http_stream", b'{"id":1,"connect":{"token":"forged"}}')

        assert await stream.farewell() == {"code": 3500, "reason": "invalid token"}


async def test_an_expired_token_is_an_error_and_the_client_leaves(node):
    async with streaming(node) as stream:
        token = node.token(AMINA, seconds=-120)
        await stream.open(
            "http_stream", json.dumps({"id": 1, "connect": {"token": token}}).encode()
        )

        assert (await stream.answer(1))["error"]["code"] == 109


@pytest.mark.parametrize(
    ("origin", "status"),
    [(PAGE, 200), ("https://evil.example.com", 403), ("null", 403), ("http://[", 403)],
)
async def test_only_pages_of_known_origins_may_open_streams(node, origin, status):
    async with streaming(node) as stream:
        await stream.open("http_stream", connecting(node), headers={"origin": origin})

        assert stream.response.status == status
        allowed = stream.response.headers.get("access-control-allow-origin")
        assert allowed == (origin if status == 200 else None)


async def test_a_page_may_read_why_it_was_refused(node):
    async with streaming(node) as stream:
        await stream.open("http_stream", b"", headers={"origin": PAGE})

        assert stream.response.status == 400
        assert stream.response.headers["access-control-allow-origin"] == PAGE
        assert stream.response.headers["vary"].lower() == "origin"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/connection/sse", "GET, POST, OPTIONS"),
        ("/connection/http_stream", "POST, OPTIONS"),
        ("/connection/uni_http_stream", "POST, OPTIONS"),
        ("/emulation", "POST, OPTIONS"),
    ],
)
async def test_a_browser_is_told_what_pages_may_send(node, path, methods):
    headers = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.options(f"{node.http_url}{path}", headers=headers) as answer,
    ):
        assert answer.status == 204
        assert answer.headers["access-control-allow-methods"] == methods
        assert answer.headers["access-control-max-age"] == "300"
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "content-type" in answer.headers["access-control-allow-headers"]


async def test_everybody_may_be_let_in_but_without_their_cookies(sqlite_database):
    options = GatewayOptions(origins=("*",))
    async with (
        serving(Node(sqlite_database, gateway_options=options)) as node,
        streaming(node, AMINA, headers={"origin": PAGE}) as stream,
    ):
        assert stream.response.headers["access-control-allow-origin"] == PAGE
        assert "access-control-allow-credentials" not in stream.response.headers


async def test_a_full_node_sends_further_streams_away(node):
    async with (
        streaming(node, AMINA),
        streaming(node, AMINA),
        streaming(node, AMINA),
        streaming(node) as further,
    ):
        await further.open("http_stream", connecting(node))

        assert further.response.status == 503
