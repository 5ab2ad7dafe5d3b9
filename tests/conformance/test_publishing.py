"""Publishing from clients: who may, what others are told of them, and what is refused."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from kernel.adapters.database import Database
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.publishing.publishing import Words
from tests.conformance.clients import KINDS
from tests.conformance.conftest import Connect, Make
from tests.conformance.events import ClientError
from tests.support.realtime import Node, serving
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]


@pytest.fixture
async def node(sqlite_database: Database) -> AsyncIterator[Node]:
    kept = ChannelOptions(
        allow_subscribe_for_client=True,
        allow_history_for_subscriber=True,
        history_size=10,
        history_ttl="1h",
        force_recovery=True,
    )
    passing = ChannelOptions(allow_subscribe_for_client=True)
    settings = ChannelSettings(namespaces={"kept": kept, "passing": passing})
    async with serving(Node(sqlite_database, channel_settings=settings)) as running:
        yield running


@pytest.mark.parametrize(
    ("namespace", "subscribed", "code"),
    [
        ("open", False, 0),
        ("talk", False, 103),
        ("talk", True, 0),
        ("members", True, 103),
        ("nowhere", False, 102),
    ],
)
async def test_a_namespace_says_who_may_publish(
    connect: Connect, ami: str, namespace: str, subscribed: bool, code: int
) -> None:
    channel = f"{namespace}:{uuid4().hex}"
    client = await connect(ami)
    if subscribed:
        await client.do("subscribe", channel=channel)
        await client.event("subscribed")

    if code:
        with pytest.raises(ClientError) as refused:
            await client.do("publish", channel=channel, data={"text": "salam"})
        assert refused.value.code == code
    else:
        await client.do("publish", channel=channel, data={"text": "salam"})


@pytest.mark.parametrize(("namespace", "code"), [("board", 0), ("open", 103), ("talk", 103)])
async def test_nobody_in_particular_may_publish_only_where_that_is_said(
    anonymous: Connect, namespace: str, code: int
) -> None:
    channel = f"{namespace}:{uuid4().hex}"
    client = await anonymous()
    await client.do("subscribe", channel=channel)
    await client.event("subscribed")

    if code:
        with pytest.raises(ClientError) as refused:
            await client.do("publish", channel=channel, data={"text": "salam"})
        assert refused.value.code == code
    else:
        await client.do("publish", channel=channel, data={"text": "salam"})
        await client.event("publication")


@pytest.mark.parametrize("namespace", ["open", "kept"])
async def test_a_publication_says_who_published_it(
    connect: Connect, running_house: RunningHouse, ami: str, bouchra: str, namespace: str
) -> None:
    channel = f"{namespace}:{uuid4().hex}"
    listener = await connect(bouchra)
    about_ami = {"name": "أمينة"}
    publisher = await connect(ami, running_house.token(ami, info=about_ami))
    client_id = (await publisher.event("connected"))["client"]
    token = running_house.token(ami, channel=channel, info={"seat": 12})
    for client, more in ((listener, {}), (publisher, {"tokens": [token]})):
        await client.do("subscribe", channel=channel, **more)
        await client.event("subscribed")

    await publisher.do("publish", channel=channel, data={"text": "salam"})

    for client in (listener, publisher):
        told = await client.event("publication")
        assert told["data"] == {"text": "salam"}
        assert told["info"] == {
            "user": ami, "client": client_id, "conn": about_ami, "chan": {"seat": 12},
        }  # fmt: skip
        assert told["tags"] == {}


@pytest.mark.parametrize("data", [{"a": 1}, [1, 2], "text", 7, True, {"text": "a\nb\u2028"}])
async def test_any_json_is_data(connect: Connect, ami: str, data: Any) -> None:
    channel = f"open:{uuid4().hex}"
    client = await connect(ami)
    await client.do("subscribe", channel=channel)
    await client.event("subscribed")

    await client.do("publish", channel=channel, data=data)

    assert (await client.event("publication"))["data"] == data


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("javascript")])
async def test_what_a_client_sends_reaches_an_application_that_listens(
    make: Make, sqlite_database: Database
) -> None:
    heard: list[tuple[str, bytes]] = []
    node = Node(sqlite_database, on_send=lambda who, data: heard.append((who.user, data)))
    async with serving(node):
        client = await make(node.url, node.token("ami"))
        await client.do("send", data={"typing": True})
        await node.until(lambda: heard)
        await client.do("disconnect")

    assert heard == [("ami", b'{"typing":true}')]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("javascript")])
async def test_where_nobody_listens_to_what_clients_send_they_are_told_for_good(
    connect: Connect, ami: str
) -> None:
    client = await connect(ami)
    await client.event("connected")

    await client.do("send", data={"typing": True})

    assert (await client.event("disconnected"))["code"] == 3508


async def test_too_much_data_is_refused(make: Make, sqlite_database: Database) -> None:
    open_to_all = ChannelOptions(allow_publish_for_client=True)
    settings = ChannelSettings(namespaces={"open": open_to_all}, data_bytes=100)
    async with serving(Node(sqlite_database, channel_settings=settings)) as node:
        client = await make(node.url, node.token("ami"))

        with pytest.raises(ClientError) as refused:
            await client.do("publish", channel="open:1", data={"text": "x" * 100})

        assert refused.value.code == 107
        await client.do("publish", channel="open:1", data={"text": "x" * 50})
        await client.do("disconnect")


@pytest.mark.parametrize("channel", ["passing:1", "kept:1"])
async def test_tags_travel_with_what_the_application_publishes(
    make: Make, node: Node, channel: str
) -> None:
    client = await make(node.url, node.token("ami"))
    await client.do("subscribe", channel=channel)
    await client.event("subscribed")

    await node.publishing.publish(channel, Words(b'{"n":1}', tags={"table": "12"}))

    told = await client.event("publication")
    assert told["tags"] == {"table": "12"}
    assert told["info"] is None


async def test_tags_and_publishers_are_in_what_is_recovered_and_in_the_history(
    make: Make, node: Node
) -> None:
    client = await make(node.url, node.token("ami"))
    await client.do("subscribe", channel="kept:1")
    await client.event("subscribed")

    await client.do("drop")
    await node.publishing.publish("kept:1", Words(b'{"n":1}', tags={"table": "12"}))
    told = await client.event("publication", offset=1)
    page = await client.do("history", channel="kept:1", options={"limit": 1})

    assert told["tags"] == page["publications"][0]["tags"] == {"table": "12"}


async def test_what_is_kept_out_of_the_history_arrives_without_an_offset(
    make: Make, node: Node
) -> None:
    client = await make(node.url, node.token("ami"))
    await client.do("subscribe", channel="kept:1")
    await client.event("subscribed")

    await node.publishing.publish("kept:1", Words(b'{"n":0}', skip_history=True))
    await node.publishing.publish("kept:1", Words(b'{"n":1}'))

    await client.event("publication", offset=1)
    assert [each["data"]["n"] for each in client.publications("kept:1")] == [0, 1]
    assert not client.publications("kept:1")[0]["offset"]
