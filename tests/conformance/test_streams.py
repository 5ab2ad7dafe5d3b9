"""Streams of channels: where they are, what is recovered of them, and when it cannot be."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from kernel.adapters.database import Database
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.publishing.publishing import Words
from messaging.upkeep import StreamUpkeep
from tests.conformance.conftest import AnyClient, Connect, Make
from tests.conformance.events import ClientError
from tests.support.realtime import Node, serving

pytestmark = [pytest.mark.external]


@pytest.fixture
def kept() -> str:
    return f"kept:{uuid4().hex}"


@pytest.fixture
async def node(sqlite_database: Database) -> AsyncIterator[Node]:
    fleeting = ChannelOptions(
        allow_subscribe_for_client=True,
        history_size=10,
        history_ttl=0.2,
        history_meta_ttl=0.3,
        force_recovery=True,
    )
    settings = ChannelSettings(namespaces={"fleeting": fleeting})
    async with serving(Node(sqlite_database, channel_settings=settings)) as running:
        yield running


async def subscribed(client: AnyClient, channel: str, **more: Any) -> dict[str, Any]:
    await client.do("subscribe", channel=channel, **more)
    return await client.event("subscribed", channel=channel)


async def forgotten(node: Node) -> None:
    """Wait until the one stream there is was kept for long enough: who reads it prolongs that."""
    upkeep = StreamUpkeep(store=node.publications, clock=node.clock)
    while await upkeep.step() == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def publish(client: AnyClient, channel: str, *numbers: int) -> None:
    for number in numbers:
        await client.do("publish", channel=channel, data={"n": number})


@pytest.mark.parametrize(
    ("namespace", "options", "positioned", "recoverable"),
    [
        ("open", {"positioned": True, "recoverable": True}, False, False),
        ("asked", {}, False, False),
        ("asked", {"positioned": True}, True, False),
        ("asked", {"recoverable": True}, True, True),
        ("watched", {}, True, False),
        ("watched", {"recoverable": True}, True, False),
        ("readable", {}, False, False),
        ("readable", {"positioned": True}, True, False),
        ("readable", {"recoverable": True}, True, True),
        ("kept", {}, True, True),
    ],
)
async def test_a_namespace_says_who_is_told_where_they_are(
    connect: Connect,
    ami: str,
    namespace: str,
    options: dict[str, bool],
    positioned: bool,
    recoverable: bool,
) -> None:
    client = await connect(ami)

    told = await subscribed(client, f"{namespace}:{uuid4().hex}", options=options)

    assert (told["positioned"], told["recoverable"]) == (positioned, recoverable)
    assert bool(told.get("streamPosition")) is positioned


@pytest.mark.parametrize("missed", [0, 1, 15])
async def test_what_was_missed_comes_back_once_and_in_order(
    connect: Connect, ami: str, bouchra: str, kept: str, missed: int
) -> None:
    client, other = await connect(ami), await connect(bouchra)
    await subscribed(client, kept)
    await publish(other, kept, 1, 2)
    await client.event("publication", offset=2)

    await client.do("drop")
    await publish(other, kept, *range(3, 3 + missed))
    back = await client.event("subscribed")
    await publish(other, kept, 3 + missed)

    await client.event("publication", offset=3 + missed)
    assert (back["wasRecovering"], back["recovered"]) == (True, True)
    assert client.offsets(kept) == list(range(1, 4 + missed))
    assert [each["data"]["n"] for each in client.publications(kept)] == client.offsets(kept)


async def test_more_than_the_stream_keeps_is_not_recovered(
    connect: Connect, ami: str, bouchra: str
) -> None:
    channel = f"short:{uuid4().hex}"
    client, other = await connect(ami), await connect(bouchra)
    await subscribed(client, channel)

    await client.do("disconnect")
    await publish(other, channel, 1, 2, 3)
    await client.do("connect")
    back = await client.event("subscribed")
    await publish(other, channel, 4)

    await client.event("publication", offset=4)
    assert (back["wasRecovering"], back["recovered"]) == (True, False)
    assert back["streamPosition"]["offset"] == 3
    assert client.offsets(channel) == [4]


async def test_what_was_left_on_purpose_is_taken_up_again(
    connect: Connect, ami: str, bouchra: str, kept: str
) -> None:
    client, other = await connect(ami), await connect(bouchra)
    await subscribed(client, kept)
    await client.do("unsubscribe", channel=kept)
    await client.event("unsubscribed")
    await publish(other, kept, 1, 2)

    await client.do("resubscribe", channel=kept)

    assert (await client.event("subscribed"))["recovered"] is True
    await client.event("publication", offset=2)
    assert client.offsets(kept) == [1, 2]


async def test_a_state_is_completed_from_its_position_and_loaded_anew_where_that_fails(
    connect: Connect, ami: str, bouchra: str
) -> None:
    channel = f"short:{uuid4().hex}"
    client, other = await connect(ami), await connect(bouchra)
    await subscribed(other, channel)
    await publish(other, channel, 1, 2, 3)
    told = await other.event("publication", offset=3)
    assert told
    epoch = next(each for each in other.events if each["event"] == "subscribed")
    epoch = epoch["streamPosition"]["epoch"]

    states = [{"offset": 0, "epoch": epoch}, {"offset": 2, "epoch": epoch}]
    back = await subscribed(client, channel, getState=states)

    # Offset 1 is gone, so from 0 on it could not be recovered: that was refused with 112.
    await client.event("publication", offset=3)
    assert back["recovered"] is True
    assert client.count("state", channel=channel) == 2
    assert client.offsets(channel) == [3]


async def test_a_channel_without_a_stream_forgets_at_once(
    connect: Connect, ami: str, bouchra: str
) -> None:
    channel = f"open:{uuid4().hex}"
    client, other = await connect(ami), await connect(bouchra)
    await subscribed(client, channel)

    await client.do("drop")
    await client.event("subscribing")
    await publish(other, channel, 1)
    back = await client.event("subscribed")
    await publish(other, channel, 2)

    await client.event("publication")
    assert not back["wasRecovering"]
    assert client.publications(channel)[-1]["data"] == {"n": 2}


async def test_a_history_that_ended_is_not_recovered_but_nothing_missed_is_nothing_lost(
    make: Make, node: Node
) -> None:
    client = await make(node.url, node.token("ami"))
    await subscribed(client, "fleeting:1")
    await node.publishing.publish("fleeting:1", Words(b'{"n":1}'))
    await client.event("publication", offset=1)
    # Longer than the node remembers by itself, and than the history is kept.
    await client.do("disconnect")
    await node.until(lambda: not node.hub.connections)
    node.following.forget(node.following.find("fleeting:1"))
    await asyncio.sleep(0.25)

    await client.do("connect")
    nothing_missed = await client.event("subscribed")
    await client.do("disconnect")
    await node.until(lambda: not node.hub.connections)
    await node.publishing.publish("fleeting:1", Words(b'{"n":2}'))
    node.following.forget(node.following.find("fleeting:1"))
    await asyncio.sleep(0.25)
    await client.do("connect")
    too_late = await client.event("subscribed")

    assert nothing_missed["recovered"] is True
    assert (too_late["wasRecovering"], too_late["recovered"]) == (True, False)
    assert client.offsets("fleeting:1") == [1]


async def test_a_stream_that_was_forgotten_begins_another_epoch(make: Make, node: Node) -> None:
    client = await make(node.url, node.token("ami"))
    first = await subscribed(client, "fleeting:1")
    await client.do("disconnect")
    await node.until(lambda: not node.hub.connections)
    node.following.forget(node.following.find("fleeting:1"))
    await forgotten(node)

    await client.do("connect")

    again = await client.event("subscribed")
    assert again["recovered"] is False
    assert again["streamPosition"]["epoch"] != first["streamPosition"]["epoch"]


async def test_who_listens_while_a_stream_is_forgotten_subscribes_anew(
    make: Make, node: Node
) -> None:
    client = await make(node.url, node.token("ami"))
    await subscribed(client, "fleeting:1")
    await forgotten(node)

    node.following.suspect(list(node.following))
    await client.event("subscribing", code=2500)

    assert (await client.event("subscribed"))["recovered"] is False
    await node.publishing.publish("fleeting:1", Words(b'{"n":1}'))
    await client.event("publication", offset=1)


# --- history --------------------------------------------------------------------------------------


async def test_history_pages_in_both_directions(connect: Connect, ami: str, kept: str) -> None:
    client = await connect(ami)
    epoch = (await subscribed(client, kept))["streamPosition"]["epoch"]
    await publish(client, kept, *range(1, 26))

    async def history(**options: Any) -> list[int]:
        page = await client.do("history", channel=kept, options=options)
        assert (page["offset"], page["epoch"]) == (25, epoch)
        return [each["offset"] for each in page["publications"]]

    def after(offset: int) -> dict[str, Any]:
        return {"offset": offset, "epoch": epoch}

    # 20 are kept.
    assert await history(limit=0) == []
    assert await history(limit=3) == [6, 7, 8]
    assert await history(limit=-1) == list(range(6, 26))
    assert await history(limit=3, reverse=True) == [25, 24, 23]
    assert await history(limit=-1, reverse=True) == list(range(25, 5, -1))
    assert await history(limit=3, since=after(5)) == [6, 7, 8]
    assert await history(limit=3, since=after(23)) == [24, 25]
    assert await history(limit=3, since=after(25)) == []
    assert await history(limit=3, since=after(8), reverse=True) == [7, 6]
    assert await history(limit=3, since=after(6), reverse=True) == []
    forward, backward = [], []
    while page := await history(limit=7, since=after(forward[-1] if forward else 5)):
        forward += page
    backward = await history(limit=7, reverse=True)
    while page := await history(limit=7, since=after(backward[-1]), reverse=True):
        backward += page
    assert forward == list(range(6, 26)) == backward[::-1]


@pytest.mark.parametrize("since", [{"offset": 1, "epoch": ""}, {"offset": 26, "epoch": ""}])
async def test_a_history_that_is_not_whole_is_refused(
    connect: Connect, ami: str, kept: str, since: dict[str, Any]
) -> None:
    client = await connect(ami)
    await subscribed(client, kept)
    await publish(client, kept, *range(1, 26))

    for there in (since, {"offset": 24, "epoch": "another"}):
        with pytest.raises(ClientError) as refused:
            await client.do("history", channel=kept, options={"limit": 1, "since": there})
        assert refused.value.code == 112


@pytest.mark.parametrize(
    ("namespace", "stranger", "subscriber", "nobody"),
    [
        ("kept", 103, 0, 103),
        ("board", 0, 0, 0),
        ("asked", 103, 103, 103),
        ("open", 108, 108, 108),
        ("nowhere", 102, None, 102),
    ],
)
async def test_a_namespace_says_who_may_read_the_history(
    connect: Connect,
    anonymous: Connect,
    ami: str,
    namespace: str,
    stranger: int,
    subscriber: int | None,
    nobody: int,
) -> None:
    channel = f"{namespace}:{uuid4().hex}"
    client, other = await connect(ami), await anonymous()

    async def code(of: AnyClient) -> int:
        try:
            await of.do("history", channel=channel, options={"limit": 1})
        except ClientError as refused:
            return refused.code
        return 0

    assert await code(client) == stranger
    assert await code(other) == nobody
    if subscriber is not None:
        await subscribed(client, channel)
        assert await code(client) == subscriber
