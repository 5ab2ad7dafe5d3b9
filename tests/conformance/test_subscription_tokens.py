"""Subscription tokens: whom they let in where, what they bring, and how they end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import jwt
import pytest

from kernel.adapters.database import Database
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.connections.quotas import ConnectionOptions
from tests.conformance.clients import KINDS
from tests.conformance.conftest import AnyClient, Connect, Make
from tests.support.realtime import Node, serving
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]


@pytest.fixture
def channel() -> str:
    return f"closed:{uuid4().hex}"


@pytest.fixture
async def node(sqlite_database: Database) -> AsyncIterator[Node]:
    settings = ChannelSettings(
        namespaces={"closed": ChannelOptions(history_size=5, history_ttl="1h")}
    )
    options = ConnectionOptions(expiry_grace_seconds=1)
    built = Node(sqlite_database, channel_settings=settings, connection_options=options)
    async with serving(built) as running:
        yield running


async def outcome(client: AnyClient, channel: str, *tokens: str | None) -> int:
    await client.do("subscribe", channel=channel, tokens=tokens)
    return await client.outcome(channel)


@pytest.mark.parametrize("prefix", ["", "$"])
async def test_a_token_lets_its_user_into_its_channel(
    connect: Connect, running_house: RunningHouse, ami: str, channel: str, prefix: str
) -> None:
    channel = prefix + channel
    client = await connect(ami)

    assert await outcome(client, channel, running_house.token(ami, channel=channel)) == 0


async def test_a_token_may_be_for_nobody_in_particular(
    anonymous: Connect, running_house: RunningHouse, channel: str
) -> None:
    client = await anonymous()

    assert await outcome(client, channel, running_house.token("", channel=channel)) == 0


async def test_a_client_asks_its_application_for_the_token(
    connect: Connect, running_house: RunningHouse, ami: str, channel: str
) -> None:
    client = await connect(ami)

    assert await outcome(client, channel, "", running_house.token(ami, channel=channel)) == 0
    assert client.count("subscription-token", channel=channel) == 1


async def test_an_expired_token_is_replaced(
    connect: Connect, running_house: RunningHouse, ami: str, channel: str
) -> None:
    old = running_house.token(ami, channel=channel, seconds=-120)
    client = await connect(ami)

    assert await outcome(client, channel, old, running_house.token(ami, channel=channel)) == 0
    assert client.count("subscription-token", channel=channel) == 1
    assert not client.count("disconnected")


async def test_who_is_not_authorized_any_more_stays_out(
    connect: Connect, running_house: RunningHouse, ami: str, channel: str
) -> None:
    old = running_house.token(ami, channel=channel, seconds=-120)
    client = await connect(ami)

    assert await outcome(client, channel, old, None) == 1
    assert not client.count("disconnected")


async def test_a_forged_token_lets_nobody_in_and_the_connection_goes_on(
    connect: Connect, ami: str, channel: str
) -> None:
    forged = jwt.encode({"sub": ami, "channel": channel}, "x" * 64, "HS256")
    client = await connect(ami)

    assert await outcome(client, channel, forged) == 103
    await client.do("ready")
    assert not client.count("disconnected")


@pytest.mark.parametrize(
    "about", [{"sub": "bouchra"}, {"channel": "closed:other"}, {"client": "x"}]
)
async def test_a_token_for_somebody_or_something_else_ends_the_connection(
    connect: Connect, running_house: RunningHouse, ami: str, channel: str, about: dict[str, str]
) -> None:
    token = running_house.token(ami, **{"channel": channel, **about})
    client = await connect(ami)
    await client.event("connected")

    await client.do("subscribe", channel=channel, tokens=[token])

    assert (await client.event("disconnected"))["code"] == 3500


async def test_a_token_brings_data_and_changes_the_rules(
    connect: Connect, running_house: RunningHouse, ami: str, channel: str
) -> None:
    override = {"force_recovery": {"value": True}, "force_positioning": {"value": True}}
    token = running_house.token(ami, channel=channel, data={"seat": 12}, override=override)
    plain = running_house.token(ami, channel=f"{channel}-plain")
    client = await connect(ami)

    await client.do("subscribe", channel=channel, tokens=[token])
    told = await client.event("subscribed")
    await client.do("subscribe", channel=f"{channel}-plain", tokens=[plain])
    told_plainly = await client.event("subscribed")

    assert told["data"] == {"seat": 12}
    assert (told["recoverable"], told["positioned"]) == (True, True)
    assert (told_plainly["recoverable"], told_plainly["positioned"]) == (False, False)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_subscription_goes_on_with_a_fresh_token(make: Make, node: Node) -> None:
    channel = "closed:1"
    short, long = (node.token("ami", channel=channel, seconds=seconds) for seconds in (2, 600))
    client = await make(node.url, node.token("ami"))
    await client.do("subscribe", channel=channel, tokens=[short, long])
    await client.event("subscribed")

    await client.event("subscription-token")

    # Past the end of the first token and its grace.
    await asyncio.sleep(1.2)
    assert not client.count("unsubscribed") + client.count("subscribing", code=2501)
    assert client.count("subscribed") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_subscription_whose_token_ran_out_begins_anew(make: Make, node: Node) -> None:
    channel = "closed:1"
    tokens: list[Any] = [
        node.token("ami", channel=channel, seconds=seconds) for seconds in (2, -60, 600)
    ]
    client = await make(node.url, node.token("ami"))
    await client.do("subscribe", channel=channel, tokens=tokens)
    await client.event("subscribed")

    # The token that it is refreshed with is over as well.
    await client.event("subscribing", code=2501)

    await client.event("subscribed")
    assert not client.count("connecting", code=3005) + client.count("unsubscribed")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_subscription_that_is_refreshed_with_a_strangers_token_ends_the_connection(
    make: Make, node: Node
) -> None:
    channel = "closed:1"
    tokens = [
        node.token("ami", channel=channel, seconds=2),
        node.token("bouchra", channel=channel),
    ]
    client = await make(node.url, node.token("ami"))
    await client.do("subscribe", channel=channel, tokens=tokens)
    await client.event("subscribed")

    assert (await client.event("disconnected"))["code"] == 3500
