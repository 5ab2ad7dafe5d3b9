"""Subscription tokens at the wire: how they let in, go on, and end."""

from collections.abc import AsyncIterator

import pytest

from kernel.adapters.database import Database
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.connections.quotas import ConnectionOptions
from messaging.protocol import events, results
from messaging.protocol.codec import Codec
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import SubRefreshRequest, SubscribeRequest
from messaging.protocol.results import Error
from messaging.publishing.publishing import Words
from messaging.recovery.recovery import RecoveryOptions
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, Talker, serving, talking

CLOSED = ChannelOptions(
    presence=True, allow_presence_for_subscriber=True, history_size=100, history_ttl="1h"
)
DENIED = Error(103, "permission denied")


@pytest.fixture(params=[JSON, PROTOBUF], ids=["json", "protobuf"])
def codec(request: pytest.FixtureRequest) -> Codec:
    given: Codec = request.param
    return given


@pytest.fixture
async def node(sqlite_database: Database) -> AsyncIterator[Node]:
    built = Node(
        sqlite_database,
        channel_settings=ChannelSettings(namespaces={"closed": CLOSED}),
        connection_options=ConnectionOptions(expiry_grace_seconds=0.2),
        recovery_options=RecoveryOptions(publications=10),
    )
    async with serving(built) as running:
        yield running


@pytest.fixture
async def amina(node: Node, codec: Codec) -> AsyncIterator[Talker]:
    async with talking(node, AMINA, codec=codec) as talker:
        yield talker


async def refreshed(talker: Talker, token: str, *, channel: str = "closed:1") -> object:
    return await talker.answer(talker.protocol.request(SubRefreshRequest(channel, token)))


async def test_a_subscription_says_when_its_token_must_be_replaced(node, amina):
    token = node.token(AMINA, channel="closed:1", seconds=60)
    result = await amina.subscribe("closed:1", token=token)

    assert result.expires
    assert 55 <= result.ttl <= 60
    again = await refreshed(amina, node.token(AMINA, channel="closed:1", seconds=600))
    assert isinstance(again, results.SubRefreshResult)
    assert 590 <= again.ttl <= 600
    assert await refreshed(amina, node.token(AMINA, channel="closed:1")) == (
        results.SubRefreshResult()
    )


async def test_an_old_client_need_not_name_the_channel_that_it_refreshes(node, amina):
    token = node.token(AMINA, channel="closed:1", seconds=60)
    await amina.subscribe("closed:1", token=token)

    assert isinstance(await refreshed(amina, token, channel=""), results.SubRefreshResult)


async def test_a_subscription_without_a_fresh_token_ends_and_may_begin_anew(node, amina):
    token = node.token(AMINA, channel="closed:1", seconds=1)
    await amina.subscribe("closed:1", token=token)

    await amina.until(lambda: amina.pushes)

    assert amina.pushes[0].event == events.Unsubscribe(2501, "subscription expired")
    fresh = node.token(AMINA, channel="closed:1")
    assert isinstance(await amina.subscribe("closed:1", token=fresh), results.SubscribeResult)


async def test_a_token_that_is_just_over_is_good_for_a_second_and_not_for_a_loop(node, amina):
    over = node.token(AMINA, channel="closed:1", seconds=-2)

    result = await amina.subscribe("closed:1", token=over)

    assert (result.expires, result.ttl) == (True, 1)
    fresh = node.token(AMINA, channel="closed:1", seconds=60)
    assert isinstance(await refreshed(amina, fresh), results.SubRefreshResult)
    assert not amina.pushes


async def test_a_refresh_with_a_token_that_ended_ends_the_subscription(node, amina):
    await amina.subscribe("closed:1", token=node.token(AMINA, channel="closed:1", seconds=60))

    error = await refreshed(amina, node.token(AMINA, channel="closed:1", seconds=-60))

    assert error == Error(109, "token expired")
    assert amina.pushes[0].event == events.Unsubscribe(2501, "subscription expired")


async def test_a_refresh_with_what_is_no_token_is_denied(node, amina):
    await amina.subscribe("closed:1", token=node.token(AMINA, channel="closed:1", seconds=60))

    for nonsense in ("nonsense", node.token(AMINA, channel="closed:1", secret="x" * 40)):
        assert (await refreshed(amina, nonsense)).code == 103
    assert not amina.pushes


@pytest.mark.parametrize(
    "about", [{"user_id": KARIM}, {"channel": "closed:2"}, {"client": "another"}]
)
async def test_a_refresh_with_somebody_elses_token_ends_the_connection(node, amina, about):
    await amina.subscribe("closed:1", token=node.token(AMINA, channel="closed:1", seconds=60))

    token = node.token(**{"user_id": AMINA, "channel": "closed:1", **about})
    amina.protocol.request(SubRefreshRequest("closed:1", token))
    await amina.flush()

    assert await amina.closed() == (3500, "invalid token")


async def test_who_is_not_subscribed_has_nothing_to_refresh(node, amina):
    assert await refreshed(amina, node.token(AMINA, channel="closed:1")) == DENIED


async def test_what_the_server_subscribed_to_is_not_refreshed_by_the_client(node, codec):
    async with talking(node, codec=codec) as talker:
        token = node.token(AMINA, channels=["closed:1"])
        await talker.answer(talker.protocol.connect(token=token))
        talker.protocol.request(
            SubRefreshRequest("closed:1", node.token(AMINA, channel="closed:1"))
        )
        await talker.flush()

        assert (await talker.closed())[0] == 3501


async def test_what_a_fresh_token_says_of_a_subscription_others_see(node, amina):
    token = node.token(AMINA, channel="closed:1", info={"table": 7}, seconds=60)
    await amina.subscribe("closed:1", token=token)

    async def seen() -> list[bytes]:
        await node.parts.channel_keeper.step()
        there = await amina.answer(amina.protocol.presence("closed:1"))
        return [each.chan_info for each in there.presence.values()]

    assert await seen() == [b'{"table":7}']
    await refreshed(amina, node.token(AMINA, channel="closed:1", info={"table": 8}))
    assert await seen() == [b'{"table":8}']
    await refreshed(amina, node.token(AMINA, channel="closed:1"))
    assert await seen() == [b'{"table":8}']


async def test_what_is_asked_for_is_given_to_who_may_have_it(node, amina):
    """The namespace lets nobody recover, but this token does."""
    override = {"force_recovery": {"value": True}}
    token = node.token(AMINA, channel="closed:1", override=override)
    plain = node.token(AMINA, channel="closed:2")

    given = await amina.subscribe("closed:1", token=token)
    refused = await amina.answer(
        amina.protocol.request(
            SubscribeRequest("closed:2", token=plain, positioned=True, recoverable=True)
        )
    )

    assert (given.positioned, given.recoverable, bool(given.epoch)) == (True, True, True)
    assert (refused.positioned, refused.recoverable, refused.epoch) == (False, False, "")


@pytest.mark.parametrize(("missed", "recovered"), [(10, True), (11, False)])
async def test_more_than_may_be_recovered_at_once_is_not(node, amina, missed, recovered):
    override = {"force_recovery": {"value": True}}
    token = node.token(AMINA, channel="closed:1", override=override)
    await amina.subscribe("closed:1", token=token)
    await amina.answer(amina.protocol.unsubscribe("closed:1"))
    for number in range(missed):
        await node.publishing.publish("closed:1", Words(b"%d" % number))
    await node.until(lambda: node.following.find("closed:1").ordering.offset == missed)

    again = await amina.subscribe("closed:1", token=token)

    assert (again.was_recovering, again.recovered) == (True, recovered)
    assert len(again.publications) == (missed if recovered else 0)
    assert again.offset == (0 if recovered else missed)
