"""Who may subscribe to what: every option of namespaces that decides it."""

import asyncio
from uuid import uuid4

import pytest

from tests.conformance.conftest import AnyClient, Connect
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]


def named(namespace: str, rest: str = "") -> str:
    return f"{namespace}:{uuid4().hex}{rest}"


async def code_of(client: AnyClient, channel: str) -> int:
    """What a subscription is answered with; 0 is a yes."""
    await client.do("subscribe", channel=channel)
    return await client.outcome(channel)


@pytest.mark.parametrize(
    ("channel", "user_code", "anonymous_code"),
    [
        ("open:1", 0, 0),
        ("members:1", 0, 103),
        ("closed:1", 103, 103),
        ("nowhere:1", 102, 102),
        ("without-namespace", 103, 103),
        ("$open:1", 103, 103),
        ("numbered:1984", 0, 103),
        ("numbered:x1984", 107, 107),
        ("open:" + "x" * 255, 107, 107),
    ],
)
async def test_a_namespace_says_who_may_subscribe(
    connect: Connect,
    anonymous: Connect,
    ami: str,
    channel: str,
    user_code: int,
    anonymous_code: int,
) -> None:
    user, nobody = await connect(ami), await anonymous()

    assert await code_of(user, channel) == user_code
    assert await code_of(nobody, channel) == anonymous_code


async def test_a_channel_can_name_its_users(
    connect: Connect, anonymous: Connect, ami: str, bouchra: str
) -> None:
    user, nobody = await connect(ami), await anonymous()

    assert await code_of(user, named("limited", f"#{bouchra},{ami}")) == 0
    assert await code_of(user, f"#{ami}") == 0
    assert await code_of(user, named("limited", f"#{bouchra}")) == 103
    assert await code_of(user, named("limited", f"#{ami}#{bouchra}")) == 103
    assert await code_of(nobody, named("limited", "#")) == 103
    # Where nobody may limit channels, the sign means nothing.
    assert await code_of(user, named("members", f"#{bouchra}")) == 0


async def test_who_unsubscribes_hears_nothing_more_and_may_come_back(
    connect: Connect, ami: str
) -> None:
    channel = named("open")
    client, other = await connect(ami), await connect(ami)
    for each in (client, other):
        await each.do("subscribe", channel=channel)
        await each.event("subscribed")

    await client.do("unsubscribe", channel=channel)
    told = await client.event("unsubscribed")
    await other.do("publish", channel=channel, data={"n": 1})
    await other.event("publication")
    await client.do("resubscribe", channel=channel)
    await client.event("subscribed")
    await other.do("publish", channel=channel, data={"n": 2})

    assert told["code"] == 0
    assert (await client.event("publication"))["data"] == {"n": 2}
    assert len(client.publications(channel)) == 1


async def test_who_changes_their_mind_quickly_ends_up_where_they_wanted(
    connect: Connect, ami: str
) -> None:
    channel = named("kept")
    client = await connect(ami)
    await client.event("connected")
    await client.do("subscribe", channel=channel)

    for _ in range(5):
        await client.do("unsubscribe", channel=channel)
        await client.do("resubscribe", channel=channel)
    await client.event("subscribed")
    await client.do("publish", channel=channel, data={"n": 1})

    assert (await client.event("publication"))["offset"] == 1
    assert not client.count("disconnected")


async def test_what_is_asked_before_the_connection_is_on_is_answered_once_it_is(
    connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    channels = [named("kept") for _ in range(20)]
    client = await connect(ami)

    # Connect is not answered yet: the JavaScript client sends all of this in its frame.
    await asyncio.gather(*(client.do("subscribe", channel=each) for each in channels))
    for channel in channels:
        await client.do("publish", channel=channel, data={"to": channel})

    for channel in channels:
        await client.event("publication", channel=channel, offset=1)
    assert client.count("connected") == 1


async def test_one_subscription_too_many_is_refused_and_the_others_stay(
    connect: Connect, ami: str
) -> None:
    client = await connect(ami)
    await client.event("connected")
    channels = [named("open") for _ in range(128)]
    for channel in channels:
        await client.do("subscribe", channel=channel)
    for channel in channels:
        assert await client.outcome(channel) == 0

    assert await code_of(client, named("open")) == 106

    await client.do("publish", channel=channels[0], data={})
    await client.event("publication", channel=channels[0])
