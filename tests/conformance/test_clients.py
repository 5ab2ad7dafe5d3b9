"""What the official clients experience: every test runs with each client in each format."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.clients import (
    KINDS,
    STREAMS,
    ClientError,
    JavaScriptClient,
    PythonClient,
    client_of,
)
from tests.support.cluster import RunningCluster
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]

AnyClient = JavaScriptClient | PythonClient
Connect = Callable[..., Awaitable[AnyClient]]


ELSEWHERE = " elsewhere"
"""Marks a client whose stream is with one node while it speaks to another."""


@pytest.fixture(params=[*KINDS, *STREAMS, *(f"{kind}{ELSEWHERE}" for kind in STREAMS[1:])])
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
async def connect(
    kind: str, request: pytest.FixtureRequest, running_house: RunningHouse
) -> AsyncIterator[Connect]:
    """Makes a client of one kind for a user, and closes it when the test ends."""
    made: list[AnyClient] = []
    elsewhere = ""
    if kind.endswith(ELSEWHERE):
        elsewhere = request.getfixturevalue("running_cluster").gateways[1].websocket_url

    async def connect(user: str, *, tokens: list[str] | None = None) -> AnyClient:
        if tokens is None:
            tokens = [running_house.token(user)]
        client = client_of(
            kind.removesuffix(ELSEWHERE), running_house.websocket_url, tokens, elsewhere=elsewhere
        )
        made.append(client)
        await client.start()
        await client.do("connect")
        return client

    yield connect
    for client in made:
        await client.close()


@pytest.fixture
def ami() -> str:
    return f"ami-{uuid4().hex[:8]}"


@pytest.fixture
def bouchra() -> str:
    return f"bouchra-{uuid4().hex[:8]}"


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
        "subscribe", channel=channel(conversation), getState={"offset": 2, "epoch": top["epoch"]}
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
        "subscribe", channel=channel(conversation), getState={"offset": 1, "epoch": "older"}
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

    assert {info["user"] for info in there["clients"].values()} == {ami, bouchra}
    assert stats == {"numClients": 2, "numUsers": 2}


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


async def test_an_expiring_token_is_refreshed_without_losing_the_connection(
    connect: Connect, running_house: RunningHouse, ami: str, conversation: str
) -> None:
    short, long = running_house.token(ami, seconds=3), running_house.token(ami)
    client = await connect(ami, tokens=[short, long])
    await client.event("connected")
    await client.do("subscribe", channel=channel(conversation))
    await client.event("subscribed")

    await client.event("token")

    await send(client, conversation, "still here")
    await client.event("publication", offset=1)
    assert [event["event"] for event in client.events].count("connected") == 1


async def test_an_expired_token_is_replaced_at_connecting(
    connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    client = await connect(
        ami, tokens=[running_house.token(ami, seconds=-120), running_house.token(ami)]
    )

    await client.event("token")
    await client.event("connected")


async def test_a_forged_token_ends_the_connection_for_good(
    connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    token = running_house.token(ami)
    forged = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")

    client = await connect(ami, tokens=[forged])

    told = await client.event("disconnected")
    assert told["code"] == 3500


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


async def test_a_ping_is_answered_and_keeps_the_connection(
    connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    client = await connect(ami)
    await client.event("connected")

    # Three of the house's short ping intervals: an unanswered ping would have ended it.
    await asyncio.sleep(running_house.ping_seconds * 3)

    await client.do("ready")
    assert not [event for event in client.events if event["event"] == "disconnected"]
    assert [event["event"] for event in client.events].count("connected") == 1
