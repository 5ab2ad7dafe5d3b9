"""Who is there, who comes and who goes: asked for, told, and to whom."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.conftest import AnyClient, Connect
from tests.conformance.events import PATIENCE, ClientError
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]

ABOUT_AMI = {"name": "أمينة"}


async def subscribed(client: AnyClient, channel: str, **more: Any) -> None:
    await client.do("subscribe", channel=channel, **more)
    await client.event("subscribed", channel=channel)


async def told_of(
    client: AnyClient, channel: str, *, enough: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Who is there, asked again until it is as it must become."""
    async with asyncio.timeout(PATIENCE):
        while True:
            there: dict[str, Any] = await client.do("presence", channel=channel)
            if enough(there):
                return there


async def code_of(client: AnyClient, action: str, channel: str) -> int:
    try:
        await client.do(action, channel=channel)
    except ClientError as refused:
        return refused.code
    return 0


async def test_who_is_there_is_told_with_what_is_said_of_them(
    connect: Connect, running_house: RunningHouse, ami: str, bouchra: str
) -> None:
    channel = f"lobby:{uuid4().hex}"
    one = await connect(ami, running_house.token(ami, info=ABOUT_AMI))
    client_id = (await one.event("connected"))["client"]
    two, other = await connect(ami), await connect(bouchra)
    token = running_house.token(ami, channel=channel, info={"seat": 12})
    await subscribed(one, channel, tokens=[token])
    for client in (two, other):
        await subscribed(client, channel)

    there = await told_of(other, channel, enough=lambda found: len(found) == 3)

    assert there[client_id] == {
        "user": ami, "client": client_id, "conn": ABOUT_AMI, "chan": {"seat": 12},
    }  # fmt: skip
    assert sorted(each["user"] for each in there.values()) == sorted([ami, ami, bouchra])
    assert await other.do("presenceStats", channel=channel) == {"clients": 3, "users": 2}


@pytest.mark.parametrize("ending", ["unsubscribe", "disconnect", "drop"])
async def test_who_left_is_there_no_more(
    connect: Connect, ami: str, bouchra: str, ending: str
) -> None:
    channel = f"lobby:{uuid4().hex}"
    one, other = await connect(ami), await connect(bouchra)
    await subscribed(one, channel)
    await subscribed(other, channel)
    before = await told_of(other, channel, enough=lambda found: len(found) == 2)

    await one.do(ending, **({"channel": channel} if ending == "unsubscribe" else {}))

    # A client that was cut off comes back by itself, as another connection.
    await told_of(other, channel, enough=lambda found: not found.keys() >= before.keys())


@pytest.mark.parametrize(
    ("namespace", "stranger", "subscriber", "nobody"),
    [
        ("lobby", 103, 0, 103),
        ("board", 0, 0, 0),
        ("open", 108, 108, 108),
        ("nowhere", 102, None, 102),
    ],
)
async def test_a_namespace_says_who_may_ask_who_is_there(
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

    for action in ("presence", "presenceStats"):
        assert await code_of(client, action, channel) == stranger
        assert await code_of(other, action, channel) == nobody
    if subscriber is not None:
        await subscribed(client, channel)
        for action in ("presence", "presenceStats"):
            assert await code_of(client, action, channel) == subscriber


@pytest.mark.parametrize(
    ("namespace", "asks", "hears"),
    [
        ("lobby", True, True),
        ("lobby", False, False),
        ("gate", False, True),
        ("discreet", True, False),
        ("open", True, False),
    ],
)
async def test_a_namespace_says_who_is_told_who_comes_and_goes(
    connect: Connect,
    running_house: RunningHouse,
    ami: str,
    bouchra: str,
    namespace: str,
    asks: bool,
    hears: bool,
) -> None:
    channel = f"{namespace}:{uuid4().hex}"
    marker = f"gate:{uuid4().hex}"
    listener = await connect(bouchra)
    await subscribed(listener, channel, options={"joinLeave": asks})
    await subscribed(listener, marker)
    comer = await connect(ami, running_house.token(ami, info=ABOUT_AMI))
    client_id = (await comer.event("connected"))["client"]

    for there in (channel, marker):
        await subscribed(comer, there)
        await comer.do("unsubscribe", channel=there)

    # What is told of the other channel is told later.
    await listener.event("leave", channel=marker, user=ami)
    for event in ("join", "leave"):
        told = [
            each["info"]
            for each in listener.events
            if each["event"] == event and each["channel"] == channel and each["user"] == ami
        ]
        expected = {"user": ami, "client": client_id, "conn": ABOUT_AMI}
        assert [{**each, "chan": None} for each in told] == (
            [{**expected, "chan": None}] if hears else []
        )


async def test_who_is_cut_off_is_told_of_once(connect: Connect, ami: str, bouchra: str) -> None:
    channel = f"gate:{uuid4().hex}"
    listener, other = await connect(bouchra), await connect(ami)
    await subscribed(listener, channel)
    await subscribed(other, channel)
    await listener.event("join", user=ami)

    await other.do("drop")

    await listener.event("leave", user=ami)
    await listener.event("join", user=ami)
    assert (listener.count("join", user=ami), listener.count("leave", user=ami)) == (2, 1)
