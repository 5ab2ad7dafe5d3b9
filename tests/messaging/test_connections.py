"""Which connections users have, on all nodes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, nullcontext
from typing import Any

import msgspec
import pytest

from kernel.adapters.memory_bus import MemoryBus
from kernel.errors import Denied, InvalidInput, Unavailable
from kernel.identity import Principal, Scope
from kernel.ids import new_id
from messaging.connection_routes import operations
from messaging.connections.connections import NAME_CHARACTERS, Connections, Wanted, caller_of
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import ConnectRequest
from tests.support.clock import START
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, Talker, serving, talking
from tests.support.standing import OPERATOR


def findable(node: Node) -> Connections:
    """What finds the connections of this node, and of those that hear it."""
    connections = Connections(node_id=node.node_id, bus=node.bus)
    connections.serve(node.hub.roster, node.surveys, pause=lambda: asyncio.sleep(0))
    return connections


@pytest.fixture
async def nodes(sqlite_database, bus) -> AsyncIterator[list[Node]]:
    """Two nodes that know each other."""
    async with AsyncExitStack() as opened:
        built = [
            await opened.enter_async_context(serving(Node(sqlite_database, bus=bus)))
            for _ in range(2)
        ]
        here, there = built
        await here.until(lambda: here.nodes.others() and there.nodes.others())
        yield built


async def connected(talker: Talker, node: Node, user_id: str, **more: Any) -> None:
    said = {name: more.pop(name) for name in ("name", "version") if name in more}
    token = node.token(user_id, **more)
    await talker.answer(talker.protocol.request(ConnectRequest(token=token, **said)))


async def test_a_users_connections_are_found_on_every_node(nodes):
    here, there = nodes
    connections = findable(here)
    findable(there)
    async with (
        talking(here) as one,
        talking(there, codec=PROTOBUF) as two,
        talking(there, KARIM),
    ):
        meta = {"plan": "gold", "seats": 3}
        await connected(one, here, AMINA, name="js", version="5.4", jti="t1", iat=1, meta=meta)
        await connected(two, there, AMINA, name="swift")
        await two.subscribe(f"user:{AMINA}")

        found = await connections.find(Wanted(user_id=AMINA))

    assert (found.more, found.missing) == (False, [])
    web, phone = found.connections
    assert (web.node, web.app_name, web.app_version) == (here.node_id, "js", "5.4")
    assert (web.transport, web.protocol, web.channels) == ("websocket", "json", [])
    assert (web.labels, bytes(web.meta)) == ({"plan": "gold"}, b'{"plan":"gold","seats":3}')
    assert (web.token_id, web.token_issued_at.timestamp()) == ("t1", 1)
    assert (phone.node, phone.app_name, phone.protocol) == (there.node_id, "swift", "protobuf")
    assert (phone.channels, phone.labels, phone.token_id) == ([f"user:{AMINA}"], {}, "")
    assert phone.connected_at >= web.connected_at


async def test_connections_are_found_by_label_and_application(nodes):
    here, there = nodes
    connections = findable(here)
    findable(there)
    async with talking(here) as one, talking(there) as two, talking(there) as three:
        await connected(one, here, AMINA, name="js", meta={"plan": "gold", "zone": "a"})
        labels = {"zone": "b", "seats": 3}
        await connected(two, there, KARIM, name="js", meta={"plan": "gold"}, labels=labels)
        await connected(three, there, KARIM, name="swift", meta="gold")

        gold = await connections.find(Wanted(labels={"plan": "gold"}))
        both = await connections.find(Wanted(labels={"plan": "gold", "zone": "b"}))
        swift = await connections.find(Wanted(app_name="swift", user_id=KARIM))
        everybody = await connections.find(Wanted())

    assert [each.user_id for each in gold.connections] == [AMINA, KARIM]
    assert [each.user_id for each in both.connections] == [KARIM]
    assert [each.app_name for each in swift.connections] == ["swift"]
    assert len(everybody.connections) == 3


async def test_more_than_asked_for_is_said_and_not_told(nodes):
    here, there = nodes
    connections = findable(here)
    findable(there)
    async with talking(here, AMINA), talking(here, AMINA), talking(there, AMINA):
        one = await connections.find(Wanted(user_id=AMINA, limit=1))
        two = await connections.find(Wanted(user_id=AMINA, limit=2))
        three = await connections.find(Wanted(user_id=AMINA, limit=3))

    assert [(len(each.connections), each.more) for each in (one, two, three)] == [
        (1, True),
        (2, True),
        (3, False),
    ]


async def test_a_node_that_cannot_answer_is_named(nodes):
    here, there = nodes

    found = await findable(here).find(Wanted(user_id=AMINA))

    assert found.missing == [there.node_id]


async def test_one_connection_is_ended_and_the_others_live_on(nodes):
    here, there = nodes
    connections = findable(here)
    findable(there)
    async with talking(there, AMINA) as one, talking(there, AMINA) as other:
        [first, second] = (await connections.find(Wanted(user_id=AMINA))).connections
        await connections.end(first.client, user_id=AMINA, by=OPERATOR)

        assert await one.closed() == (3503, "force disconnect")
        [left] = (await connections.find(Wanted(user_id=AMINA))).connections
        assert left.client == second.client
        assert await other.subscribe(f"user:{AMINA}")


async def test_a_process_without_connections_says_so():
    with pytest.raises(Unavailable):
        await Connections(node_id="a", bus=MemoryBus()).find(Wanted())


def test_no_more_is_kept_of_what_a_client_says_of_itself():
    request = ConnectRequest(name="x" * 60_000, version="y" * 60_000)

    caller = caller_of(request, START)

    assert (caller.app_name, caller.app_version) == ("x" * NAME_CHARACTERS, "y" * NAME_CHARACTERS)


# --- who may ask ----------------------------------------------------------------------------------

WHO = {
    "user": Principal(user_id=AMINA),
    "API key": OPERATOR,
    "API key without the scope": Principal(
        key_id=new_id(START), scopes=frozenset(Scope) - {Scope.USERS}
    ),
}
YES, NO = None, Denied

#    operation, asked for, and the answer to each of WHO, in that order
MATRIX = [
    ("connections.mine", {}, [YES, NO, NO]),
    ("connections.find", {"label": ["plan=gold"]}, [NO, YES, NO]),
    ("connections.end", {"user_id": AMINA, "client": "c"}, [NO, YES, NO]),
]


@pytest.fixture
async def asked(sqlite_database):
    async with serving(Node(sqlite_database)) as node:
        listed = {each.name: each for each in operations(findable(node))}

        async def ask(who: Principal, name: str, **fields: Any) -> Any:
            given = msgspec.json.decode(json.dumps(fields), type=listed[name].takes)
            return await listed[name].run(who, given)

        ask.names = set(listed)
        ask.node = node
        yield ask


@pytest.mark.parametrize(
    ("who", "operation", "fields", "refusal"),
    [
        pytest.param(who, operation, fields, refusal, id=f"{operation} for {who}")
        for operation, fields, answers in MATRIX
        for who, refusal in zip(WHO, answers, strict=True)
    ],
)
async def test_who_may_ask_what(asked, who, operation, fields, refusal):
    with nullcontext() if refusal is None else pytest.raises(refusal):
        await asked(WHO[who], operation, **fields)


def test_the_matrix_has_every_operation(asked):
    assert {name for name, _, _ in MATRIX} == asked.names


async def test_users_see_their_own_without_what_is_not_for_them(asked):
    async with talking(asked.node) as amina, talking(asked.node, KARIM):
        await connected(amina, asked.node, AMINA, name="js", meta={"secret": "x"})
        [own] = (await asked(WHO["user"], "connections.mine")).connections

    assert own.app_name == "js"
    assert "meta" not in own.__struct_fields__


@pytest.mark.parametrize("label", ["plan", "=gold"])
async def test_a_label_that_is_none_is_refused(asked, label):
    with pytest.raises(InvalidInput):
        await asked(OPERATOR, "connections.find", label=[label])
