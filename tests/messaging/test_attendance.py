"""Who comes and goes is told once, on every node, whatever ends it; and nobody stays behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from messaging.adapters.memory_presence import MemoryChannelPresence
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.commands.gate import GateOptions
from messaging.nodes.control import Disconnect, Order, Subscribe, Unsubscribe, publication_of_order
from messaging.protocol.events import Join, Leave
from messaging.protocol.results import Error
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, Talker, serving, talking

GATE = ChannelOptions(
    allow_subscribe_for_client=True,
    allow_presence_for_client=True,
    presence=True,
    join_leave=True,
    force_push_join_leave=True,
    history_size=5,
    history_ttl="1h",
)


@pytest.fixture
async def nodes(sqlite_database: Database) -> AsyncIterator[list[Node]]:
    """Two, that hear each other and share who is there."""
    bus, registry = MemoryBus(), MemoryChannelPresence()
    settings = ChannelSettings(namespaces={"gate": GATE})
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(
                serving(
                    Node(
                        sqlite_database,
                        bus=bus,
                        channel_registry=registry,
                        channel_settings=settings,
                    )
                )
            )
            for _ in range(2)
        ]


@pytest.fixture
async def listener(nodes: list[Node]) -> AsyncIterator[Talker]:
    """Karim listens, on the other node than Amina."""
    async with talking(nodes[1], KARIM) as karim:
        await karim.subscribe("gate:1")
        yield karim


async def said(listener: Talker, nodes: list[Node]) -> list[tuple[str, str]]:
    """Who came and went so far, Lina being the last of all."""
    async with talking(nodes[0], "lina") as lina:
        await lina.subscribe("gate:1")
        await listener.until(lambda: any(who == "lina" for _, who in _said(listener)))
    return _said(listener)[:-1]


def _said(listener: Talker) -> list[tuple[str, str]]:
    return [
        (type(push.event).__name__.lower(), push.event.info.user)
        for push in listener.pushes
        if isinstance(push.event, Join | Leave)
    ]


async def there(nodes: list[Node]) -> set[str]:
    """Who is kept as being there."""
    for node in nodes:
        await node.parts.channel_keeper.step()
    members = await nodes[1].channel_registry.members("gate:1")
    return {member.user_id for member in members.values()}


def order(node: Node, what: Order) -> None:
    node.bus.publish([publication_of_order(what)])


CAME_AND_WENT = [("join", KARIM), ("join", AMINA), ("leave", AMINA)]


async def test_who_comes_and_goes_on_one_node_is_told_on_the_other(nodes, listener):
    async with talking(nodes[0], AMINA) as amina:
        await amina.subscribe("gate:1")
        assert await there(nodes) == {AMINA, KARIM}
        await amina.answer(amina.protocol.unsubscribe("gate:1"))
        assert await there(nodes) == {KARIM}

    assert await said(listener, nodes) == CAME_AND_WENT


async def test_who_is_cut_off_has_gone_once(nodes, listener):
    async with talking(nodes[0], AMINA) as amina:
        await amina.subscribe("gate:1")
        amina.websocket.transport.abort()
        await nodes[0].until(lambda: not nodes[0].hub.connections)

    assert await said(listener, nodes) == CAME_AND_WENT
    assert await there(nodes) == {KARIM}


@pytest.mark.parametrize(
    "what",
    [
        Unsubscribe(user_id=AMINA, channel="gate:1", code=2000),
        Unsubscribe(user_id=AMINA, channel="", code=2500),
        Disconnect(user_id=AMINA, code=3503),
    ],
)
async def test_who_is_put_out_has_gone_once(nodes, listener, what):
    async with talking(nodes[0], AMINA) as amina:
        await amina.subscribe("gate:1")
        order(nodes[0], what)
        # Twice is no more than once.
        order(nodes[0], what)
        await nodes[0].until(lambda: not nodes[0].following.find("gate:1").listeners)

    assert await said(listener, nodes) == CAME_AND_WENT
    assert await there(nodes) == {KARIM}


async def test_who_subscribes_twice_came_once(nodes, listener):
    async with talking(nodes[0], AMINA) as amina:
        await amina.subscribe("gate:1")
        assert (await amina.subscribe("gate:1")).code == 105
        order(nodes[0], Subscribe(user_id=AMINA, channel="gate:1"))

    assert await said(listener, nodes) == CAME_AND_WENT


async def test_who_came_without_asking_is_told_of_as_well(nodes, listener):
    async with talking(nodes[0]) as amina:
        token = nodes[0].token(AMINA, channels=["gate:1"])
        await amina.answer(amina.protocol.connect(token=token))
        assert await there(nodes) == {AMINA, KARIM}

    assert await said(listener, nodes) == CAME_AND_WENT
    assert await there(nodes) == {KARIM}


@pytest.mark.parametrize("ending", ["cut off", "unsubscribed", "refused"])
async def test_who_never_came_never_goes(nodes, listener, ending):
    """A connection that ends, or is ended, while it subscribes."""
    node = nodes[0]
    open_channel = node.following.open
    entered = asyncio.Event()

    async def disturbed(name: str) -> Any:
        if not entered.is_set():
            entered.set()
            if ending == "cut off":
                amina.websocket.transport.abort()
                await node.until(lambda: not node.hub.connections)
            elif ending == "unsubscribed":
                node.hub.obey(Unsubscribe(user_id=AMINA, channel=name, code=2000))
            else:
                node.hub.obey(Disconnect(user_id=AMINA, code=3503))
        return await open_channel(name)

    node.following.open = disturbed  # type: ignore[method-assign]
    async with talking(node, AMINA) as amina:
        amina.protocol.subscribe("gate:1")
        await amina.flush()
        async with asyncio.timeout(10):
            await entered.wait()
    await node.until(lambda: not node.hub.connections)

    assert await said(listener, nodes) == [("join", KARIM)]
    assert await there(nodes) == {KARIM}


async def test_a_channel_that_begins_anew_is_left_and_entered_again(nodes, listener):
    async with talking(nodes[0], AMINA) as amina:
        await amina.subscribe("gate:1")
        nodes[0].hub.restart(nodes[0].following.find("gate:1"))
        await amina.until(lambda: "gate:1" not in amina.protocol.channels)
        await amina.subscribe("gate:1")
        assert await there(nodes) == {AMINA, KARIM}

    assert await said(listener, nodes) == [*CAME_AND_WENT, ("join", AMINA), ("leave", AMINA)]


@asynccontextmanager
async def crowded(database: Database) -> AsyncIterator[tuple[Node, Talker, asyncio.Event]]:
    """A node at whose gate Amina waits to subscribe, until Karim has; and what lets him."""
    settings = ChannelSettings(namespaces={"gate": GATE})
    gate = GateOptions(admitted=1, wait_seconds=3)
    node = Node(database, channel_settings=settings, gate_options=gate)
    open_channel = node.following.open
    inside, leave = asyncio.Event(), asyncio.Event()

    async def held(name: str) -> Any:
        node.following.open = open_channel  # type: ignore[method-assign]
        inside.set()
        await leave.wait()
        return await open_channel(name)

    async with serving(node), talking(node, KARIM) as karim, talking(node, AMINA) as amina:
        node.following.open = held  # type: ignore[method-assign]
        first = karim.protocol.subscribe("gate:1")
        await karim.flush()
        await inside.wait()
        (waiting,) = node.hub.roster.of_user(AMINA)
        amina.protocol.subscribe("gate:1")
        await amina.flush()
        await node.until(lambda: waiting._running)
        yield node, amina, leave
        await karim.answer(first)
        await node.until(lambda: not waiting._running)
        await node.parts.channel_keeper.step()


async def test_who_is_gone_before_it_is_their_turn_never_comes(sqlite_database):
    """Many come at once, some of them wait at the gate, and some of those give up."""
    async with crowded(sqlite_database) as (node, amina, leave):
        (waiting,) = node.hub.roster.of_user(AMINA)
        amina.websocket.transport.abort()
        await node.until(lambda: not waiting.is_open)
        leave.set()
        await node.until(lambda: not waiting._running)

        assert node.hub.counts().subscriptions == 1
        assert waiting not in node.following.find("gate:1").listeners
        await node.parts.channel_keeper.step()
        members = await node.channel_registry.members("gate:1")
        assert [each.user_id for each in members.values()] == [KARIM]


async def test_whom_the_application_subscribes_before_it_is_their_turn_came_once(sqlite_database):
    async with crowded(sqlite_database) as (node, amina, leave):
        order(node, Subscribe(user_id=AMINA, channel="gate:1"))
        await amina.until(lambda: amina.pushes)
        leave.set()
        # The connect had the first id.
        await amina.until(lambda: 2 in amina.answers)

        assert amina.answers[2].result == Error(105, "already subscribed")
        await node.until(lambda: node.hub.counts().subscriptions == 2)
        assert _said(amina).count(("join", AMINA)) == 1
