"""What the official clients experience of what back ends ask the server API, through pycent."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import cent
import pytest
from cent.exceptions import CentApiResponseError

from tests.conformance.conftest import AnyClient, Connect, Make
from tests.support.cluster import RunningCluster
from tests.support.pycent import Pycent
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]

PATIENCE = 10.0


@pytest.fixture(params=("javascript-json", "python-protobuf"))
def kind(request: pytest.FixtureRequest) -> str:
    """What is judged here is asked beside the clients: one of each language and format will do."""
    given: str = request.param
    return given


@pytest.fixture
async def api(running_house: RunningHouse) -> AsyncIterator[Pycent]:
    opened = Pycent("async", running_house.url)
    yield opened
    await opened.close()


@pytest.fixture
async def apis(running_cluster: RunningCluster) -> AsyncIterator[list[Pycent]]:
    """One for each gateway."""
    opened = [Pycent("async", each.url) for each in running_cluster.gateways]
    yield opened
    for each in opened:
        await each.close()


def new(namespace: str) -> str:
    return f"{namespace}:{uuid4().hex}"


async def until(ask: Callable[[], Awaitable[Any]], true: Callable[[Any], object]) -> Any:
    """Ask until the answer is as it should be: presence and orders take a moment."""
    async with asyncio.timeout(PATIENCE):
        while not true(answer := await ask()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return answer


async def listening(client: AnyClient, channel: str) -> str:
    """Subscribe, and the client's id."""
    client_id: str = (await client.event("connected"))["client"]
    await client.do("subscribe", channel=channel)
    await client.event("subscribed", channel=channel)
    return client_id


@pytest.mark.parametrize(("namespace", "offset"), [("kept", 1), ("open", 0)])
async def test_what_a_back_end_publishes_reaches_who_listens(
    connect: Connect, api: Pycent, ami: str, namespace: str, offset: int
) -> None:
    channel = new(namespace)
    client = await connect(ami)
    await listening(client, channel)

    await api("publish", channel=channel, data={"text": "زغاريد"}, tags={"of": "guests"})

    heard = await client.event("publication", channel=channel)
    assert heard["data"] == {"text": "زغاريد"}
    assert heard["offset"] == offset
    assert heard["tags"] == {"of": "guests"}
    assert heard["info"] is None


async def test_a_broadcast_reaches_every_channel(connect: Connect, api: Pycent, ami: str) -> None:
    kept, passing = new("kept"), new("open")
    client = await connect(ami)
    await listening(client, kept)
    await client.do("subscribe", channel=passing)
    await client.event("subscribed", channel=passing)

    await api("broadcast", channels=[kept, passing], data=["both"])

    heard = {
        (each["channel"], each["data"][0])
        for each in [await client.event("publication") for _ in range(2)]
    }
    assert heard == {(kept, "both"), (passing, "both")}


async def test_a_user_is_subscribed_and_hears_what_was_missed(
    connect: Connect, api: Pycent, ami: str
) -> None:
    channel = new("closed")
    client = await connect(ami)
    await client.event("connected")
    first = await api("publish", channel=channel, data="before")
    await api("publish", channel=channel, data="missed")

    await api(
        "subscribe",
        user=ami,
        channel=channel,
        data={"seat": 3},
        override=cent.ChannelOptionsOverride(force_recovery=cent.BoolValue(value=True)),
        recover_since=cent.StreamPosition(offset=first.offset, epoch=first.epoch),
    )

    told = await client.event("server-subscribed", channel=channel)
    assert told["data"] == {"seat": 3}
    assert told["recoverable"] is True
    missed = await client.event("server-publication", channel=channel)
    assert (missed["data"], missed["offset"]) == ("missed", 2)
    await api("publish", channel=channel, data="live")
    live = await client.event("server-publication", channel=channel)
    assert (live["data"], live["offset"]) == ("live", 3)


async def test_who_is_subscribed_is_seen_with_what_the_back_end_says(
    connect: Connect, api: Pycent, running_house: RunningHouse, ami: str
) -> None:
    channel = new("closed")
    client = await connect(ami, running_house.token(ami, info={"name": "أمينة"}))
    client_id = (await client.event("connected"))["client"]
    present = cent.ChannelOptionsOverride(presence=cent.BoolValue(value=True))

    await api("subscribe", user=ami, channel=channel, info={"table": 7}, override=present)
    await client.event("server-subscribed", channel=channel)

    with pytest.raises(CentApiResponseError) as refused:
        await api("presence", channel=channel)
    assert refused.value.code == 108
    board = new("board")
    await api("subscribe", user=ami, channel=board, info={"table": 7}, client=client_id)
    there = await until(lambda: api("presence", channel=board), lambda told: told.presence)
    seen = there.presence[client_id]
    assert (seen.user, seen.client) == (ami, client_id)
    assert (seen.conn_info, seen.chan_info) == ({"name": "أمينة"}, {"table": 7})
    stats = await api("presence_stats", channel=board)
    assert (stats.num_clients, stats.num_users) == (1, 1)
    counted = (await api("channels", pattern=f"{{{board},nowhere}}")).channels
    assert {name: each.num_clients for name, each in counted.items()} == {board: 1}


async def test_only_the_client_that_is_named_is_subscribed(
    connect: Connect, api: Pycent, ami: str
) -> None:
    channel, other_channel = new("closed"), new("closed")
    one, other = await connect(ami), await connect(ami)
    client_id = (await one.event("connected"))["client"]
    await other.event("connected")

    await api("subscribe", user=ami, channel=channel, client=client_id)
    await api("subscribe", user=ami, channel=other_channel)

    await one.event("server-subscribed", channel=channel)
    first = await other.event("server-subscribed")
    assert first["channel"] == other_channel


async def test_a_subscription_ends_when_the_back_end_said(
    connect: Connect, api: Pycent, ami: str
) -> None:
    channel = new("closed")
    client = await connect(ami)
    await client.event("connected")

    await api("subscribe", user=ami, channel=channel, expire_at=int(time.time()) + 1)
    await client.event("server-subscribed", channel=channel)
    await api("unsubscribe", user=ami, channel=channel)

    await client.event("server-unsubscribed", channel=channel)


async def test_a_user_is_unsubscribed_and_does_not_come_back(
    connect: Connect, api: Pycent, ami: str
) -> None:
    channel, stays = new("kept"), new("kept")
    client = await connect(ami)
    await listening(client, channel)
    await client.do("subscribe", channel=stays)
    await client.event("subscribed", channel=stays)

    await api("unsubscribe", user=ami, channel=channel)

    ended = await client.event("unsubscribed", channel=channel)
    assert (ended["code"], ended["reason"]) == (2000, "server unsubscribe")
    await api("broadcast", channels=[channel, stays], data=1)
    heard = await client.event("publication")
    assert heard["channel"] == stays


async def test_a_user_is_unsubscribed_from_everything(
    connect: Connect, api: Pycent, ami: str
) -> None:
    channels = [new("kept"), new("open")]
    client = await connect(ami)
    await listening(client, channels[0])
    await client.do("subscribe", channel=channels[1])
    await client.event("subscribed", channel=channels[1])

    await api("unsubscribe", user=ami, channel="")

    ended = {(await client.event("unsubscribed"))["channel"] for _ in channels}
    assert ended == set(channels)


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        (None, 3503, "force disconnect"),
        (cent.Disconnect(code=4501, reason="the party is over"), 4501, "the party is over"),
    ],
)
async def test_a_user_is_disconnected_for_good(
    connect: Connect, api: Pycent, ami: str, said: cent.Disconnect | None, code: int, reason: str
) -> None:
    client = await connect(ami)
    await client.event("connected")

    await api("disconnect", user=ami, disconnect=said)

    ended = await client.event("disconnected")
    assert (ended["code"], ended["reason"]) == (code, reason)


async def test_a_disconnect_can_ask_clients_to_come_back(
    connect: Connect, api: Pycent, ami: str
) -> None:
    client = await connect(ami)
    await client.event("connected")

    await api("disconnect", user=ami, disconnect=cent.Disconnect(code=4001, reason="again"))

    await client.event("connecting", code=4001)
    await client.event("connected")


async def test_those_on_the_whitelist_stay(connect: Connect, api: Pycent, ami: str) -> None:
    channel = new("open")
    stays, goes = await connect(ami), await connect(ami)
    client_id = await listening(stays, channel)
    await goes.event("connected")

    await api("disconnect", user=ami, whitelist=[client_id])

    await goes.event("disconnected", code=3503)
    await api("publish", channel=channel, data=1)
    await stays.event("publication", channel=channel)


PHONE = {"key": "device", "cmp": "eq", "val": "phone"}


async def test_only_connections_with_a_label_are_meant(
    connect: Connect, api: Pycent, running_house: RunningHouse, ami: str
) -> None:
    channel = new("open")
    phone = await connect(ami, running_house.token(ami, meta={"device": "phone"}))
    browser = await connect(ami, running_house.token(ami, meta={"device": "browser"}))
    for client in (phone, browser):
        await listening(client, channel)

    await api("disconnect", user=ami, label_filter=PHONE)

    await phone.event("disconnected", code=3503)
    await api("publish", channel=channel, data=1)
    await browser.event("publication", channel=channel)


async def test_everybody_with_a_label_is_subscribed_where_they_may_be(
    connect: Connect, api: Pycent, running_house: RunningHouse, ami: str, bouchra: str
) -> None:
    place = uuid4().hex
    here = {"op": "and", "nodes": [PHONE, {"key": "place", "cmp": "eq", "val": place}]}
    meta = {"device": "phone", "place": place}
    conversation = await running_house.group(ami)
    for_members, for_all = f"conversation:{conversation}", new("closed")
    member = await connect(ami, running_house.token(ami, meta=meta))
    stranger = await connect(bouchra, running_house.token(bouchra, meta=meta))
    for client in (member, stranger):
        await client.event("connected")

    for channel in (for_members, for_all):
        await api("subscribe", user="", all_users=True, label_filter=here, channel=channel)

    both = {(await member.event("server-subscribed"))["channel"] for _ in range(2)}
    assert both == {for_members, for_all}
    first = await stranger.event("server-subscribed")
    assert first["channel"] == for_all


@pytest.mark.parametrize("over", [{"expired": True}, {"expire_at": 1}])
async def test_an_expired_connection_comes_back_with_a_fresh_token(
    connect: Connect, api: Pycent, running_house: RunningHouse, ami: str, over: dict[str, object]
) -> None:
    client = await connect(ami, running_house.token(ami), running_house.token(ami))
    await client.event("connected")

    await api("refresh", user=ami, **over)

    await client.event("connecting", code=3005)
    await client.event("connected")


async def test_others_see_what_a_refresh_says(connect: Connect, api: Pycent, ami: str) -> None:
    channel = new("board")
    client = await connect(ami)
    client_id = await listening(client, channel)

    await api("refresh", user=ami, info={"name": "Ami"})

    await until(
        lambda: api("presence", channel=channel),
        lambda told: getattr(told.presence.get(client_id), "conn_info", None) == {"name": "Ami"},
    )
    mine = await api("presence", channel=f"user:{ami}")
    assert mine.presence[client_id].conn_info == {"name": "Ami"}


async def test_a_blocked_user_is_put_out_and_kept_out(
    connect: Connect, api: Pycent, running_house: RunningHouse, ami: str
) -> None:
    client = await connect(ami)
    await client.event("connected")

    await api("block_user", user=ami)

    ended = await client.event("disconnected")
    assert 3500 <= ended["code"] < 4000
    again = await connect(ami)
    assert 3500 <= (await again.event("disconnected"))["code"] < 4000
    await api("unblock_user", user=ami)
    await (await connect(ami)).event("connected")


async def test_the_connections_of_a_user_are_found(
    connect: Connect, api: Pycent, running_house: RunningHouse, ami: str
) -> None:
    channel = new("open")
    token = running_house.token(ami, meta={"device": "phone", "level": 3}, jti="a-token")
    client = await connect(ami, token)
    client_id = await listening(client, channel)

    found = (await api("connections", user=ami, expression="")).connections
    by_label = await api(
        "connections",
        user="",
        expression="",
        label_filter={
            "op": "and",
            "nodes": [
                {"key": "device", "cmp": "in", "vals": ["phone", "tablet"]},
                {"op": "not", "nodes": [{"key": "device", "cmp": "eq", "val": "tablet"}]},
            ],
        },
    )

    assert found.keys() == {client_id}
    assert client_id in by_label.connections
    told = found[client_id]
    assert told.user == ami
    assert told.protocol in ("json", "protobuf")
    assert told.transport
    assert told.state.channels.keys() == {channel}
    assert told.state.connection_token.uid == "a-token"
    assert told.state.meta == {"device": "phone", "level": 3}


async def test_servers_may_look_into_conversations_and_end_listening_but_not_publish(
    connect: Connect, api: Pycent, running_house: RunningHouse, ami: str, bouchra: str
) -> None:
    conversation = await running_house.group(ami, bouchra)
    channel = f"conversation:{conversation}"
    client = await connect(ami)
    client_id = await listening(client, channel)
    await running_house.call(
        "POST",
        f"/v1/conversations/{conversation}/messages",
        user=bouchra,
        body={"body": {"text": "salam"}, "idempotency_key": "1"},
    )

    with pytest.raises(CentApiResponseError) as refused:
        await api("publish", channel=channel, data=1)
    found = await api("history", channel=channel, limit=10)
    there = await api("presence", channel=channel)
    counted = (await api("channels", pattern=channel)).channels[channel]
    await api("unsubscribe", user=ami, channel=channel)

    assert refused.value.code == 107
    assert "message" in refused.value.message
    assert [each.data["body"] for each in found.publications] == [{"text": "salam"}]
    assert there.presence[client_id].user == ami
    assert counted.num_clients == 1
    await client.event("unsubscribed", channel=channel, code=2000)


async def test_any_node_takes_what_concerns_clients_of_another(
    make: Make, running_cluster: RunningCluster, apis: list[Pycent], ami: str
) -> None:
    here, there = apis
    node = running_cluster.gateways[1]
    channel, given = new("board"), new("closed")
    client = await make(node.websocket_url, node.token(ami))
    client_id = await listening(client, channel)

    nodes = (await until(lambda: here("info"), lambda told: len(told.nodes) == 2)).nodes
    published = await here("publish", channel=channel, data="from elsewhere")
    heard = await client.event("publication", channel=channel)
    present = await until(lambda: here("presence", channel=channel), lambda told: told.presence)
    counted = [(await api("channels", pattern="board:*")).channels[channel] for api in apis]
    await here("subscribe", user=ami, channel=given)
    await client.event("server-subscribed", channel=given)
    connections = (await here("connections", user=ami, expression="")).connections
    await here("unsubscribe", user=ami, channel=channel)
    await client.event("unsubscribed", channel=channel, code=2000)
    await here("disconnect", user=ami)

    assert len({each.uid for each in nodes}) == 2
    assert (heard["data"], heard["offset"]) == ("from elsewhere", published.offset)
    assert present.presence.keys() == {client_id}
    assert [each.num_clients for each in counted] == [1, 1]
    assert connections.keys() == {client_id}
    assert set(connections[client_id].state.channels) == {channel, given}
    assert (await client.event("disconnected"))["code"] == 3503
    assert (await there("history", channel=channel, limit=1)).offset == published.offset


async def test_a_removed_history_is_gone_on_every_node(
    make: Make, running_cluster: RunningCluster, apis: list[Pycent], ami: str
) -> None:
    here, _ = apis
    node = running_cluster.gateways[1]
    channel = new("kept")
    client = await make(node.websocket_url, node.token(ami))
    await listening(client, channel)
    first = await here("publish", channel=channel, data="regretted")
    await client.event("publication", channel=channel)

    await here("history_remove", channel=channel)
    await here("publish", channel=channel, data="after")
    await client.event("publication", channel=channel)

    other = await make(node.websocket_url, node.token(ami))
    states = [{"offset": offset, "epoch": first.epoch} for offset in (0, 1)]
    await other.do("subscribe", channel=channel, getState=states)

    # What is gone cannot be recovered, so the client has to ask for the state once more.
    await other.event("state")
    await other.event("state")
    heard = await other.event("publication", channel=channel)
    assert (heard["data"], other.offsets(channel)) == ("after", [2])
