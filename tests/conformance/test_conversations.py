"""What the official clients experience in conversations, each client in each format."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.clients import KINDS, STREAMS
from tests.conformance.conftest import AnyClient, Connect, Make
from tests.conformance.events import ClientError
from tests.support.cluster import RunningCluster
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]

ELSEWHERE = "elsewhere"
"""Marks a client whose stream is with one node while it speaks to another."""


@pytest.fixture(params=[*KINDS, *STREAMS, *(f"{kind}-{ELSEWHERE}" for kind in STREAMS[1:])])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def running_house(kind: str, request: pytest.FixtureRequest) -> RunningHouse:
    """The node that clients of this kind connect to."""
    if kind.endswith(ELSEWHERE):
        cluster: RunningCluster = request.getfixturevalue("running_cluster")
        return cluster.gateways[0]
    house: RunningHouse = request.getfixturevalue("running_house")
    return house


@pytest.fixture
def connect(
    kind: str, make: Make, running_house: RunningHouse, request: pytest.FixtureRequest
) -> Connect:
    """Makes a client of one kind for a user."""
    more = {}
    if kind.endswith(ELSEWHERE):
        cluster: RunningCluster = request.getfixturevalue("running_cluster")
        more["elsewhere"] = cluster.gateways[1].websocket_url

    async def connect(user: str) -> AnyClient:
        return await make(running_house.websocket_url, running_house.token(user), **more)

    return connect


@pytest.fixture
async def conversation(running_house: RunningHouse, ami: str, bouchra: str) -> str:
    return await running_house.group(ami, bouchra)


def channel(conversation: str) -> str:
    return f"conversation:{conversation}"


async def send(client: AnyClient, conversation: str, text: str) -> int:
    answer = await client.do(
        "rpc",
        method="messages.send",
        data={
            "conversation_id": conversation,
            "body": {"text": text},
            "idempotency_key": uuid4().hex,
        },
    )
    offset: int = answer["data"]["offset"]
    return offset


async def reader(connect: Connect, user: str, conversation: str) -> AnyClient:
    client = await connect(user)
    await client.event("connected")
    await client.do("subscribe", channel=channel(conversation))
    await client.event("subscribed")
    return client


async def test_a_message_reaches_every_member_with_its_offset(
    connect: Connect, ami: str, bouchra: str, conversation: str
) -> None:
    one = await reader(connect, ami, conversation)
    other = await reader(connect, bouchra, conversation)

    offset = await send(one, conversation, "مرحبا، à demain 👰🏽")

    for client in (one, other):
        told = await client.event("publication")
        assert told["offset"] == offset == 1
        assert told["data"]["body"] == {"text": "مرحبا، à demain 👰🏽"}
        assert told["data"]["sender_id"] == ami


async def test_what_was_missed_while_away_comes_back_once_and_in_order(
    connect: Connect, ami: str, bouchra: str, conversation: str
) -> None:
    away = await reader(connect, bouchra, conversation)
    writer = await reader(connect, ami, conversation)
    await send(writer, conversation, "before")
    await away.event("publication", offset=1)

    await away.do("drop")
    sent = [await send(writer, conversation, f"missed {number}") for number in range(10)]
    back = await away.event("subscribed")
    await send(writer, conversation, "after")

    await away.event("publication", offset=12)
    assert back["wasRecovering"] is True
    assert back["recovered"] is True
    assert sent == list(range(2, 12))
    assert away.offsets(channel(conversation)) == list(range(1, 13))


async def test_leaving_on_purpose_and_coming_back_loses_nothing(
    connect: Connect, ami: str, bouchra: str, conversation: str
) -> None:
    client = await reader(connect, bouchra, conversation)
    writer = await reader(connect, ami, conversation)
    await client.do("unsubscribe", channel=channel(conversation))
    await client.event("unsubscribed")

    await send(writer, conversation, "while not listening")
    await writer.event("publication")
    await client.do("resubscribe", channel=channel(conversation))

    await client.event("subscribed")
    await send(writer, conversation, "listening again")
    await client.event("publication", offset=2)
    assert client.offsets(channel(conversation)) == [1, 2]


async def test_state_loaded_by_the_application_is_completed_from_its_position(
    connect: Connect, ami: str, bouchra: str, conversation: str
) -> None:
    writer = await reader(connect, ami, conversation)
    for number in range(5):
        await send(writer, conversation, f"message {number}")
    top = await writer.do("history", channel=channel(conversation), options={"limit": 0})

    client = await connect(bouchra)
    await client.do(
        "subscribe", channel=channel(conversation), getState=[{"offset": 2, "epoch": top["epoch"]}]
    )

    await client.event("state")
    await client.event("publication", offset=5)
    assert client.offsets(channel(conversation)) == [3, 4, 5]


async def test_a_position_from_another_life_of_the_database_asks_for_the_state_again(
    connect: Connect, ami: str, bouchra: str, conversation: str
) -> None:
    writer = await reader(connect, ami, conversation)
    await send(writer, conversation, "there")
    client = await connect(bouchra)

    await client.do(
        "subscribe", channel=channel(conversation), getState=[{"offset": 1, "epoch": "older"}]
    )

    # The first state is refused with 112, and the client asks the application once more.
    await client.event("state")
    await client.event("state")
    assert client.offsets(channel(conversation)) == []


async def test_history_pages_in_both_directions(
    connect: Connect, ami: str, conversation: str
) -> None:
    client = await reader(connect, ami, conversation)
    for number in range(6):
        await send(client, conversation, f"message {number}")

    async def history(**options: Any) -> list[int]:
        page = await client.do("history", channel=channel(conversation), options=options)
        assert page["offset"] == 6
        return [publication["offset"] for publication in page["publications"]]

    top = await client.do("history", channel=channel(conversation), options={"limit": 0})
    assert await history(limit=0) == []
    assert await history(limit=2) == [1, 2]
    assert await history(limit=2, since={"offset": 2, "epoch": top["epoch"]}) == [3, 4]
    assert await history(limit=3, reverse=True) == [6, 5, 4]
    assert await history(limit=2, since={"offset": 4, "epoch": top["epoch"]}, reverse=True) == [
        3,
        2,
    ]


async def test_presence_tells_who_is_there(
    connect: Connect, ami: str, bouchra: str, conversation: str
) -> None:
    client = await reader(connect, ami, conversation)
    await reader(connect, bouchra, conversation)

    there = await client.do("presence", channel=channel(conversation))
    stats = await client.do("presenceStats", channel=channel(conversation))

    assert {info["user"] for info in there.values()} == {ami, bouchra}
    assert stats == {"clients": 2, "users": 2}


@pytest.mark.parametrize(
    ("action", "arguments", "code"),
    [
        ("rpc", {"method": "no.such.method", "data": {}}, 104),
        ("publish", {"data": {"text": "past the rules"}}, 103),
    ],
)
async def test_what_may_not_be_done_is_answered_with_its_code(
    connect: Connect,
    ami: str,
    conversation: str,
    action: str,
    arguments: dict[str, Any],
    code: int,
) -> None:
    client = await reader(connect, ami, conversation)
    if action == "publish":
        arguments = {**arguments, "channel": channel(conversation)}

    with pytest.raises(ClientError) as refused:
        await client.do(action, **arguments)

    assert refused.value.code == code
    await send(client, conversation, "the connection goes on")


async def test_a_refused_rpc_names_the_field_and_the_rule(
    connect: Connect, ami: str, conversation: str
) -> None:
    client = await reader(connect, ami, conversation)

    with pytest.raises(ClientError) as refused:
        await client.do(
            "rpc",
            method="messages.send",
            data={"conversation_id": conversation, "body": "not an object", "idempotency_key": "k"},
        )

    assert 400 <= refused.value.code < 2000
    assert "body" in refused.value.message


async def test_a_conversation_of_others_is_closed_to_a_stranger(
    connect: Connect, conversation: str
) -> None:
    stranger = await connect(f"stranger-{uuid4().hex[:8]}")
    await stranger.event("connected")

    await stranger.do("subscribe", channel=channel(conversation))

    told = await stranger.event("unsubscribed")
    assert told["code"] == 103


async def test_a_removed_member_stops_hearing_at_once(
    connect: Connect, running_house: RunningHouse, ami: str, bouchra: str, conversation: str
) -> None:
    removed = await reader(connect, bouchra, conversation)
    owner = await reader(connect, ami, conversation)

    await running_house.remove_member(conversation, bouchra, by=ami)
    told = await removed.event("unsubscribed")
    await send(owner, conversation, "not for everybody any more")
    await owner.event("publication", offset=1)

    assert told["code"] == 103
    assert removed.offsets(channel(conversation)) == []


async def test_many_messages_at_once_arrive_in_one_order_everywhere(
    connect: Connect, ami: str, bouchra: str, conversation: str
) -> None:
    one = await reader(connect, ami, conversation)
    other = await reader(connect, bouchra, conversation)

    await asyncio.gather(
        *(send(one, conversation, f"a {number}") for number in range(50)),
        *(send(other, conversation, f"b {number}") for number in range(50)),
    )

    for client in (one, other):
        await client.event("publication", offset=100)
        assert client.offsets(channel(conversation)) == list(range(1, 101))
