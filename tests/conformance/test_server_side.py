"""Subscriptions on the server's side: they reach the application at the client, not apart."""

from collections.abc import AsyncIterator

import pytest

from kernel.adapters.database import Database
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.connections.quotas import ConnectionOptions
from messaging.nodes.control import Order, Subscribe, Unsubscribe, publication_of_order
from messaging.publishing.publishing import Words
from tests.conformance.conftest import AnyClient, Make
from tests.support.realtime import Node, serving

pytestmark = [pytest.mark.external]

KEPT = ChannelOptions(history_size=10, history_ttl="1h", force_recovery=True)
GATE = ChannelOptions(join_leave=True, force_push_join_leave=True)


@pytest.fixture
async def node(sqlite_database: Database) -> AsyncIterator[Node]:
    settings = ChannelSettings(
        namespaces={"kept": KEPT, "gate": GATE}, subscribe_to_personal=True, personal_namespace=""
    )
    options = ConnectionOptions(channels=5, expiry_grace_seconds=0.3)
    built = Node(sqlite_database, channel_settings=settings, connection_options=options)
    async with serving(built) as running:
        yield running


async def publish(node: Node, channel: str, number: int) -> None:
    await node.publishing.publish(channel, Words(b'{"n":%d}' % number))


def order(node: Node, what: Order) -> None:
    node.bus.publish([publication_of_order(what)])


async def on(client: AnyClient, *channels: str) -> None:
    for channel in channels:
        while not client.count("server-subscribed", channel=channel):
            await client.event("server-subscribed")


async def test_a_token_says_where_its_client_finds_itself(make: Make, node: Node) -> None:
    subs = {"kept:2": {"data": {"seat": 12}}}
    client = await make(node.url, node.token("ami", channels=["kept:1"], subs=subs))
    await on(client, "kept:1", "kept:2", "#ami")

    await publish(node, "kept:1", 1)
    await publish(node, "#ami", 2)

    assert (await client.event("server-publication", channel="kept:1"))["offset"] == 1
    assert (await client.event("server-publication", channel="#ami"))["data"] == {"n": 2}
    told = [each for each in client.events if each["event"] == "server-subscribed"]
    assert {each["channel"]: each.get("data") for each in told} == {
        "kept:1": None, "kept:2": {"seat": 12}, "#ami": None,
    }  # fmt: skip


async def test_what_was_missed_comes_with_the_next_connection(make: Make, node: Node) -> None:
    client = await make(node.url, node.token("ami", channels=["kept:1"]))
    await on(client, "kept:1")
    await publish(node, "kept:1", 1)
    await client.event("server-publication", offset=1)

    await client.do("drop")
    for number in range(2, 6):
        await publish(node, "kept:1", number)
    back = await client.event("server-subscribed", channel="kept:1")
    await publish(node, "kept:1", 6)

    await client.event("server-publication", offset=6)
    assert (back["wasRecovering"], back["recovered"]) == (True, True)
    assert client.offsets("kept:1") == [1, 2, 3, 4, 5, 6]


async def test_a_channel_that_the_next_token_does_not_name_is_over(make: Make, node: Node) -> None:
    tokens = [node.token("ami", channels=["kept:1", "kept:2"], seconds=2)]
    client = await make(node.url, *tokens, node.token("ami", channels=["kept:2"]))
    await on(client, "kept:1", "kept:2")

    # The fresh token subscribes to other channels, so the client connects anew with it.
    await client.event("connecting", code=3010)

    await client.event("server-unsubscribed", channel="kept:1")


async def test_an_order_subscribes_and_another_ends_it(make: Make, node: Node) -> None:
    client = await make(node.url, node.token("ami"))
    await client.event("connected")

    order(node, Subscribe(user_id="ami", channel="kept:1"))
    told = await client.event("server-subscribed", channel="kept:1")
    await publish(node, "kept:1", 1)
    await client.event("server-publication", channel="kept:1", offset=1)
    order(node, Unsubscribe(user_id="ami", channel="kept:1", code=2000))
    await client.event("server-unsubscribed", channel="kept:1")
    await publish(node, "kept:1", 2)
    await publish(node, "#ami", 3)

    await client.event("server-publication", channel="#ami")
    assert (told["recoverable"], told["positioned"]) == (True, True)
    assert client.offsets("kept:1") == [1]


async def test_an_order_says_from_where_on(make: Make, node: Node) -> None:
    for number in (1, 2, 3):
        await publish(node, "kept:1", number)
    epoch = (await node.streams.tops(["kept:1"]))["kept:1"].epoch
    client = await make(node.url, node.token("ami"))
    await client.event("connected")

    order(node, Subscribe(user_id="ami", channel="kept:1", since=(1, epoch)))

    await client.event("server-publication", offset=3)
    assert client.offsets("kept:1") == [2, 3]


async def test_a_subscription_by_order_that_ends_makes_the_client_connect_anew(
    make: Make, node: Node
) -> None:
    client = await make(node.url, node.token("ami"))
    await client.event("connected")

    expire_at = int(node.clock.now().timestamp()) + 1
    order(node, Subscribe(user_id="ami", channel="kept:1", expire_at=expire_at))

    await client.event("connecting", code=3006)
    await client.event("connected")
    await client.event("server-unsubscribed", channel="kept:1")


async def test_who_comes_and_goes_is_told_at_the_client(make: Make, node: Node) -> None:
    listener = await make(node.url, node.token("ami", channels=["gate:1"]))
    await on(listener, "gate:1")

    other = await make(node.url, node.token("bouchra", channels=["gate:1"]))
    await listener.event("server-join", channel="gate:1", user="bouchra")
    await other.do("disconnect")

    await listener.event("server-leave", channel="gate:1", user="bouchra")


async def test_too_many_channels_end_the_connection_for_good(make: Make, node: Node) -> None:
    client = await make(node.url, node.token("ami", channels=[f"kept:{n}" for n in range(6)]))

    assert (await client.event("disconnected"))["code"] == 3505


async def test_what_the_server_subscribed_to_the_client_cannot(make: Make, node: Node) -> None:
    client = await make(node.url, node.token("ami", channels=["kept:1"]))
    await on(client, "kept:1")

    await client.do("subscribe", channel="kept:1")

    assert await client.outcome("kept:1") == 105


@pytest.mark.parametrize(("code", "comes_back"), [(2000, False), (2099, False), (2502, True)])
async def test_the_code_of_an_end_says_whether_to_subscribe_again(
    make: Make, node: Node, code: int, comes_back: bool
) -> None:
    channel = "kept:1"
    client = await make(node.url, node.token("ami"))
    await client.do("subscribe", channel=channel, tokens=[node.token("ami", channel=channel)])
    await client.event("subscribed")

    order(node, Unsubscribe(user_id="ami", channel=channel, code=code, reason="so it is"))

    told = await client.event("subscribing" if comes_back else "unsubscribed", code=code)
    assert told["reason"] == "so it is"
    if comes_back:
        await client.event("subscribed")
