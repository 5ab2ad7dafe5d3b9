"""Back ends on a connection: who is let in with an API key, what they may ask, what ends them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from kernel.adapters.database import Database
from kernel.errors import RateLimited
from kernel.identity import Principal, Scope
from kernel.operations import Operation
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.protocol.codes import DisconnectCode, ErrorCode
from messaging.protocol.requests import PresenceStatsRequest, PublishRequest
from messaging.protocol.results import ConnectResult, Error, RPCResult
from tests.support.realtime import PATIENCE, Node, Talker, serving, talking


class Number(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the operations made for these tests take and give."""

    number: int = 0


def _operation(name: str, run: Any, scope: Scope | None, **more: Any) -> Operation[Number, Number]:
    path = f"/v1/{name}" if scope is None else f"/admin/v1/{name}"
    return Operation(
        name=name, method="POST", path=path, summary=name, takes=Number, gives=Number, run=run,
        scope=scope, rpc=scope is None, **more,
    )  # fmt: skip


class Waiting:
    """Operations that tell who asked, and of which one waits."""

    def __init__(self) -> None:
        self.asked: list[Principal] = []
        self.door = asyncio.Event()

    async def double(self, principal: Principal, given: Number) -> Number:
        self.asked.append(principal)
        return Number(given.number * 2)

    async def wait(self, _: Principal, given: Number) -> Number:
        if given.number == 1:
            await self.door.wait()
        self.door.set()
        return given


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
async def node(sqlite_database: Database, waiting: Waiting) -> AsyncIterator[Node]:
    operations = [
        _operation("pushes.double", waiting.double, Scope.PUSHES),
        _operation("pushes.wait", waiting.wait, Scope.PUSHES),
        _operation("pushes.follow", waiting.double, Scope.PUSHES, streams=True),
        _operation("users.double", waiting.double, None),
    ]
    open_to_all = ChannelOptions(
        allow_subscribe_for_client=True,
        allow_subscribe_for_anonymous=True,
        allow_publish_for_client=True,
        allow_publish_for_anonymous=True,
        allow_presence_for_client=True,
        allow_history_for_client=True,
        presence=True,
        history_size=10,
        history_ttl="1h",
    )
    settings = ChannelSettings(namespaces={"open": open_to_all})
    there = Node(sqlite_database, more_operations=operations, channel_settings=settings)
    async with serving(there):
        yield there


async def enter(talker: Talker, credential: str) -> Any:
    return await talker.answer(talker.protocol.connect(token=credential))


def number_in(result: Any) -> int:
    assert isinstance(result, RPCResult), result
    return msgspec.json.decode(result.data, type=Number).number


async def test_a_key_opens_over_a_connection_what_it_opens_over_http(node: Node, waiting: Waiting):
    key, secret = await node.api_keys.create("shop", frozenset({Scope.PUSHES}))

    async with talking(node) as server:
        connected = await enter(server, secret)
        doubled = await server.rpc("pushes.double", b'{"number":21}')
        refused = await server.rpc("pushes.double", b'{"text":1}')

    assert isinstance(connected, ConnectResult)
    assert (connected.expires, connected.subs) == (False, {})
    assert number_in(doubled) == 42
    assert isinstance(refused, Error)
    assert (refused.code, "text" in refused.message) == (400, True)
    assert [each.key_id for each in waiting.asked] == [key.id]


async def test_nobody_reaches_the_methods_of_others(node: Node, waiting: Waiting):
    _, other = await node.api_keys.create("cook", frozenset(set(Scope) - {Scope.PUSHES}))
    _, every = await node.api_keys.create("all", frozenset(Scope))
    claims = {"scopes": ["pushes"], "scope": "pushes", "key_id": "1"}
    credentials = {
        "a user": node.token("amina"),
        "a user who claims scopes": node.token("amina", **claims),
        "another scope": other,
    }

    codes = {}
    for who, credential in credentials.items():
        async with talking(node) as talker:
            await enter(talker, credential)
            codes[who] = (await talker.rpc("pushes.double", b"{}")).code
    async with talking(node) as server:
        await enter(server, every)
        codes["a user's method"] = (await server.rpc("users.double", b"{}")).code
        codes["what streams"] = (await server.rpc("pushes.follow", b"{}")).code

    assert codes == {
        "a user": ErrorCode.METHOD_NOT_FOUND,
        "a user who claims scopes": ErrorCode.METHOD_NOT_FOUND,
        "another scope": 403,
        "a user's method": ErrorCode.METHOD_NOT_FOUND,
        "what streams": ErrorCode.METHOD_NOT_FOUND,
    }
    assert waiting.asked == []


async def test_a_server_does_nothing_in_channels_and_is_seen_nowhere(node: Node):
    _, secret = await node.api_keys.create("shop", frozenset(Scope))

    async with talking(node) as server:
        await enter(server, secret)
        ask = server.protocol
        asked = [
            ask.subscribe("open:1"),
            ask.request(PublishRequest("open:1", b"{}")),
            ask.history("open:1", limit=1),
            ask.presence("open:1"),
            ask.request(PresenceStatsRequest("open:1")),
        ]
        codes = {(await server.answer(each)).code for each in asked}
        counts = node.hub.counts()

    assert codes == {ErrorCode.PERMISSION_DENIED}
    assert (counts.clients, counts.users, counts.subscriptions) == (1, 0, 0)
    await node.until(lambda: not node.hub.connections)


@pytest.mark.parametrize(
    "credential", ["zaffa_", f"zaffa_{'0' * 32}_{'0' * 64}", "zaffa_🎉", "zaffa_" + "x" * 9_000]
)
async def test_who_shows_no_good_key_is_sent_away_for_good(node: Node, credential: str):
    async with talking(node) as stranger:
        stranger.protocol.connect(token=credential)
        await stranger.flush()

        assert (await stranger.closed())[0] == DisconnectCode.INVALID_TOKEN


async def test_a_key_that_is_revoked_ends_its_connections_when_they_ask(
    node: Node, waiting: Waiting
):
    key, secret = await node.api_keys.create("shop", frozenset({Scope.PUSHES}))

    async with talking(node) as server:
        await enter(server, secret)
        await node.api_keys.revoke(key.id)
        server.protocol.rpc("pushes.double", b"{}")
        await server.flush()

        assert (await server.closed())[0] == DisconnectCode.INVALID_TOKEN
    assert waiting.asked == []


async def test_what_a_key_asks_is_counted_with_what_it_asks_elsewhere(node: Node, waiting: Waiting):
    key, secret = await node.api_keys.create("shop", frozenset({Scope.PUSHES}))
    counted: list[Any] = []

    def count(principal: Principal) -> None:
        counted.append(principal.key_id)
        if len(counted) > 2:
            raise RateLimited("Too many requests.", retry_after=1.0)

    node.counts = count
    answers = []
    async with talking(node) as one, talking(node) as other:
        for server in (one, other, one):
            if not server.answers:
                await enter(server, secret)
            answers.append(await server.rpc("pushes.double", b"{}"))

    assert [number_in(each) for each in answers[:2]] == [0, 0]
    assert (answers[2].code, answers[2].temporary) == (429, True)
    assert counted == [key.id] * 3
    assert len(waiting.asked) == 2


async def test_calls_of_a_server_do_not_wait_for_each_other(node: Node):
    _, secret = await node.api_keys.create("shop", frozenset({Scope.PUSHES}))

    async with talking(node) as server:
        await enter(server, secret)
        first = server.protocol.rpc("pushes.wait", b'{"number":1}')
        second = server.protocol.rpc("pushes.wait", b'{"number":2}')

        assert number_in(await server.answer(second)) == 2
        assert number_in(await server.answer(first)) == 1


async def test_keys_are_not_taken_where_they_would_be_in_addresses(node: Node):
    _, secret = await node.api_keys.create("shop", frozenset(Scope))
    command = msgspec.json.encode({"id": 1, "connect": {"token": secret}}).decode()
    one_way = msgspec.json.encode({"token": secret}).decode()

    said = []
    async with aiohttp.ClientSession() as session:
        for path, asked in (("sse", command), ("uni_sse", one_way)):
            url = f"{node.http_url}/connection/{path}"
            async with (
                asyncio.timeout(PATIENCE),
                session.get(url, params={"cf_connect": asked}) as answer,
            ):
                said.append(await answer.text())

    for each in said:
        assert f'"code":{int(DisconnectCode.PERMISSION_DENIED)}' in each


async def test_servers_are_sent_on_when_the_node_leaves(node: Node):
    _, secret = await node.api_keys.create("shop", frozenset(Scope))

    async with talking(node) as server:
        await enter(server, secret)
        await node.gateway.drain(0.1)

        assert (await server.closed())[0] == DisconnectCode.SHUTDOWN
