"""What the official clients make of changes: whole publications, all of them, in their order."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from kernel.adapters.database import Database
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.publishing.publishing import Words
from tests.conformance.clients import KINDS, Clients
from tests.conformance.conftest import AnyClient
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, serving

pytestmark = [pytest.mark.external]

Subscribe = Callable[..., Awaitable[AnyClient]]

HALL = ChannelOptions(
    allow_subscribe_for_client=True,
    history_size=1000,
    history_ttl="10m",
    force_recovery=True,
    allowed_delta_types=("fossil",),
)
PASSING = ChannelOptions(allow_subscribe_for_client=True, allowed_delta_types=("fossil",))
PLAIN = ChannelOptions(
    allow_subscribe_for_client=True, history_size=9, history_ttl="10m", force_recovery=True
)


def plan(number: int) -> dict[str, Any]:
    """A seating plan that differs from the others in one guest, in three alphabets."""
    seats = {f"table {seat % 10}, seat {seat}": f"ضيف {seat}" for seat in range(60)}
    return {"number": number, "seats": {**seats, f"seat {number}": "Zoé, نور الهدى 👰🏽"}}


@pytest.fixture
async def node(sqlite_database: Database) -> AsyncIterator[Node]:
    settings = ChannelSettings(namespaces={"hall": HALL, "passing": PASSING, "plain": PLAIN})
    async with serving(Node(sqlite_database, channel_settings=settings)) as running:
        yield running


async def publish(node: Node, *numbers: int, channel: str = "hall:1") -> None:
    for number in numbers:
        data = json.dumps(plan(number), ensure_ascii=False).encode()
        await node.publishing.publish(channel, Words(data))


@pytest.fixture
async def subscribe(node: Node, clients: Clients) -> AsyncIterator[Subscribe]:
    """Makes a client of a kind that listens to a channel, and closes it when the test ends."""
    made: list[AnyClient] = []

    async def subscribe(kind: str, *, channel: str = "hall:1", **options: Any) -> AnyClient:
        user_id = KARIM if made else AMINA
        client = clients.client(kind, node.url, [node.token(user_id)])
        made.append(client)
        await client.start()
        await client.do("connect")
        await client.event("connected")
        await client.do("subscribe", channel=channel, options=options)
        await client.event("subscribed")
        return client

    yield subscribe
    for client in made:
        await client.close()


def heard(client: AnyClient) -> list[Any]:
    return [event["data"] for event in client.events if event["event"] == "publication"]


async def until(client: AnyClient, number: int) -> None:
    """Wait for a plan; what was heard before it stays to be looked at."""
    await client.event("publication", data=plan(number))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_changed_becomes_what_was_published(node, subscribe, kind):
    client = await subscribe(kind, delta="fossil")

    await publish(node, *range(1, 8))

    await until(client, 7)
    assert heard(client) == [plan(number) for number in range(1, 8)]
    assert client.offsets("hall:1") == list(range(1, 8))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("javascript")])
async def test_little_of_it_travels(node, subscribe, kind):
    """The JavaScript client counts: one publication whole, and the others in a few bytes."""
    client = await subscribe(kind, delta="fossil")

    await publish(node, *range(1, 8))

    await until(client, 7)
    stats = await client.do("deltaStats", channel="hall:1")
    assert (stats["numFullPayloads"], stats["numDeltaPayloads"]) == (1, 6)
    assert stats["compressionRatio"] > 0.7


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_missed_comes_back_as_changes(node, subscribe, kind):
    client = await subscribe(kind, delta="fossil")
    await publish(node, 1, 2)
    await until(client, 2)

    await client.do("drop")
    await publish(node, *range(3, 20))
    back = await client.event("subscribed")
    await publish(node, 20, 21)

    await until(client, 21)
    assert back["recovered"] is True
    assert heard(client) == [plan(number) for number in range(1, 22)]


@pytest.mark.parametrize("kind", KINDS)
async def test_leaving_and_coming_back_begins_a_chain_anew(node, subscribe, kind):
    client = await subscribe(kind, delta="fossil")
    await publish(node, 1, 2)
    await until(client, 2)
    await client.do("unsubscribe", channel="hall:1")
    await client.event("unsubscribed")
    await publish(node, 3)

    await client.do("resubscribe", channel="hall:1")
    await client.event("subscribed")
    await publish(node, 4, 5)

    await until(client, 5)
    assert heard(client) == [plan(number) for number in range(1, 6)]


async def test_listeners_with_and_without_changes_hear_the_same(node, subscribe):
    clients = []
    for at, kind in enumerate([*KINDS, *KINDS]):
        options = {"delta": "fossil"} if at % 3 else {}
        clients.append(await subscribe(kind, **options))
        # Who comes later begins in the middle of the others' chain.
        await publish(node, at + 1)

    await publish(node, *range(9, 13))

    for at, client in enumerate(clients):
        await until(client, 12)
        assert heard(client) == [plan(number) for number in range(at + 1, 13)]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_channel_without_a_stream_has_changes_as_well(node, subscribe, kind):
    client = await subscribe(kind, channel="passing:1", delta="fossil")

    await publish(node, 1, 2, 3, channel="passing:1")

    await until(client, 3)
    assert heard(client) == [plan(1), plan(2), plan(3)]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_that_asks_in_vain_hears_everything_whole(node, subscribe, kind):
    client = await subscribe(kind, channel="plain:1", delta="fossil")

    await publish(node, 1, 2, channel="plain:1")

    await until(client, 2)
    assert heard(client) == [plan(1), plan(2)]
