"""Connecting and staying: with a token, without one, and with one that ends."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from kernel.adapters.database import Database
from messaging.connections.quotas import ConnectionOptions
from messaging.nodes.control import Disconnect, Refresh, publication_of_order
from tests.conformance.clients import KINDS
from tests.conformance.conftest import Connect, Make
from tests.support.realtime import Node, serving
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]


@pytest.fixture
async def node(sqlite_database: Database) -> AsyncIterator[Node]:
    options = ConnectionOptions(ping_seconds=1, pong_seconds=0.5, expiry_grace_seconds=1)
    async with serving(Node(sqlite_database, connection_options=options)) as running:
        yield running


async def test_a_client_with_a_token_is_on_and_told_who_it_is(connect: Connect, ami: str) -> None:
    client = await connect(ami, name="a-sixteen-letter", version="1.2.3", data={"app": "زفّة"})

    told = await client.event("connected")

    assert len(told["client"]) == 36
    assert not client.count("disconnected")


async def test_a_client_without_a_token_is_nobody_in_particular(anonymous: Connect) -> None:
    channel = f"talk:{uuid4().hex}"
    one, other = await anonymous(), await anonymous()
    await one.do("subscribe", channel=f"board:{channel}")
    await one.event("subscribed")

    await other.do("publish", channel=f"board:{channel}", data={"text": "salam"})

    told = await one.event("publication")
    assert told["info"]["user"] == ""


async def test_a_client_without_a_token_is_refused_where_tokens_are_needed(
    make: Make, node: Node
) -> None:
    client = await make(node.url)

    told = await client.event("disconnected")

    assert told["code"] == 3501


async def test_a_token_without_a_subject_is_for_nobody_in_particular(
    make: Make, node: Node
) -> None:
    client = await make(node.url, node.token(""))

    await client.event("connected")


async def test_a_client_without_a_token_at_first_asks_its_application(
    connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    client = await connect(ami, "", running_house.token(ami))

    await client.event("token")
    await client.event("connected")


async def test_an_expired_token_is_replaced_at_connecting(
    connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    client = await connect(ami, running_house.token(ami, seconds=-120), running_house.token(ami))

    await client.event("token")
    await client.event("connected")


async def test_who_is_not_authorized_any_more_is_not_asked_again(
    connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    client = await connect(ami, running_house.token(ami, seconds=-120), None)

    told = await client.event("disconnected")

    assert told["code"] == 1
    assert client.count("token") == 1


async def test_a_forged_token_ends_the_connection_for_good(
    connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    token = running_house.token(ami)
    forged = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")

    client = await connect(ami, forged)

    told = await client.event("disconnected")
    assert told["code"] == 3500


async def test_a_token_for_a_channel_is_none_for_a_connection(
    connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    client = await connect(ami, running_house.token(ami, channel="kept:1"))

    told = await client.event("disconnected")

    assert told["code"] == 3500


@pytest.mark.parametrize("kind", KINDS)
async def test_an_expiring_token_is_refreshed_without_losing_the_connection(
    make: Make, node: Node
) -> None:
    client = await make(node.url, node.token("ami", seconds=2), node.token("ami"))
    await client.event("connected")

    await client.event("token")

    # Past the end of the first token and its grace.
    await asyncio.sleep(1.2)
    await client.do("ready")
    assert client.count("connected") == 1
    assert not client.count("disconnected")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refresh_with_somebody_elses_token_ends_the_connection_for_good(
    make: Make, node: Node
) -> None:
    client = await make(node.url, node.token("ami", seconds=2), node.token("bouchra"))
    await client.event("connected")

    told = await client.event("disconnected")

    assert told["code"] == 3500


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refresh_with_a_token_that_ended_lets_the_client_connect_anew(
    make: Make, node: Node
) -> None:
    tokens = [node.token("ami", seconds=2), node.token("ami", seconds=-5), node.token("ami")]
    client = await make(node.url, *tokens)
    await client.event("connected")

    told = await client.event("connecting", code=3005)

    assert told["reason"] == "connection expired"
    await client.event("connected")


async def test_an_order_can_end_a_connection_as_if_its_token_had_ended(
    make: Make, node: Node
) -> None:
    client = await make(node.url, node.token("ami"))
    await client.event("connected")

    node.bus.publish([publication_of_order(Refresh(user_id="ami", expired=True))])

    await client.event("connecting", code=3005)
    await client.event("connected")


@pytest.mark.parametrize(
    ("code", "comes_back"), [(3000, True), (3503, False), (4001, True), (4501, False)]
)
async def test_the_code_of_a_disconnect_says_whether_to_come_back(
    make: Make, node: Node, code: int, comes_back: bool
) -> None:
    client = await make(node.url, node.token("ami"))
    await client.event("connected")

    node.bus.publish([publication_of_order(Disconnect(user_id="ami", code=code, reason="go"))])

    await client.event("connecting" if comes_back else "disconnected", code=code)
    if comes_back:
        await client.event("connected")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_ping_is_answered_and_keeps_the_connection(make: Make, node: Node) -> None:
    client = await make(node.url, node.token("ami"))
    await client.event("connected")

    # An unanswered ping would have ended it by then.
    await asyncio.sleep(1.6)

    await client.do("ready")
    assert not client.count("disconnected")
    assert client.count("connected") == 1
