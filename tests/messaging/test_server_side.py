"""Subscriptions that nobody asked for: by tokens, by orders, and by what a client once had."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from kernel.adapters.database import Database
from kernel.errors import Unavailable
from kernel.ids import UserId
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.connections.quotas import ConnectionOptions
from messaging.nodes.control import CONTROL, Disconnect, Order, Refresh, Subscribe, Unsubscribe
from messaging.nodes.control import publication_of_order as carried
from messaging.protocol import events, results
from messaging.protocol.frames import Push
from messaging.protocol.requests import ConnectRequest, RefreshRequest, SubscribeRequest
from messaging.protocol.results import Error
from messaging.publishing.publishing import Words
from messaging.recovery.recovery import RecoveryOptions
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, Talker, channel_of, serving, talking

KEPT = ChannelOptions(history_size=10, history_ttl="1h", force_recovery=True)
OPEN = ChannelOptions(allow_subscribe_for_client=True)
SEEN = ChannelOptions(presence=True, allow_presence_for_client=True)
SETTINGS = ChannelSettings(
    without_namespace=OPEN, namespaces={"kept": KEPT, "open": OPEN, "seen": SEEN}
)


@pytest.fixture
async def node(sqlite_database: Database) -> AsyncIterator[Node]:
    options = ConnectionOptions(channels=3, expiry_grace_seconds=0.2)
    built = Node(sqlite_database, channel_settings=SETTINGS, connection_options=options)
    async with serving(built) as running:
        yield running


async def connected(talker: Talker, token: str) -> results.ConnectResult:
    result = await talker.answer(talker.protocol.connect(token=token))
    assert isinstance(result, results.ConnectResult)
    return result


def order(node: Node, what: Order) -> None:
    node.bus.publish([carried(what)])


async def publish(node: Node, channel: str, data: bytes = b"{}") -> None:
    await node.publishing.publish(channel, Words(data))


async def pushed(talker: Talker) -> Push:
    """The next push that was not looked at."""
    await talker.until(lambda: talker.pushes)
    return talker.pushes.pop(0)


# --- by tokens ------------------------------------------------------------------------------------


async def test_a_token_subscribes_its_connection(node):
    subs = {"kept:2": {"data": {"seat": 12}, "override": {"force_recovery": {"value": False}}}}
    async with talking(node) as talker:
        result = await connected(talker, node.token(AMINA, channels=["kept:1"], subs=subs))
        await publish(node, "kept:1")

        assert result.subs.keys() == {"kept:1", "kept:2"}
        assert result.subs["kept:1"].recoverable
        assert not result.subs["kept:2"].recoverable
        assert result.subs["kept:2"].data == b'{"seat":12}'
        assert (await pushed(talker)).channel == "kept:1"


@pytest.mark.parametrize(
    "channel", ["user:karim", "nowhere:1", "conversation:1", CONTROL, "x" * 256, ""]
)
async def test_what_a_token_has_no_right_to_is_left_out(node, channel):
    async with talking(node) as talker:
        result = await connected(talker, node.token(AMINA, channels=[channel, "kept:1"]))

    assert result.subs.keys() == {"kept:1"}


async def test_a_token_opens_no_conversation_of_others(node):
    hers, others = await node.conversation(AMINA), await node.conversation(KARIM)
    channels = [channel_of(hers), channel_of(others)]
    async with talking(node) as talker:
        result = await connected(talker, node.token(AMINA, channels=channels))

    assert result.subs.keys() == {channel_of(hers)}


async def test_more_channels_than_a_connection_may_have_end_it(node):
    async with talking(node) as talker:
        token = node.token(AMINA, channels=[f"kept:{number}" for number in range(4)])
        talker.protocol.connect(token=token)
        await talker.flush()

        assert await talker.closed() == (3505, "channel limit")


async def test_a_token_whose_channels_make_no_sense_is_none(node):
    async with talking(node) as talker:
        talker.protocol.connect(token=node.token(AMINA, channels="kept:1"))
        await talker.flush()

        assert await talker.closed() == (3500, "invalid token")


async def test_what_the_server_subscribed_to_the_client_cannot(node):
    async with talking(node) as talker:
        await connected(talker, node.token(AMINA, channels=["kept:1"]))

        assert await talker.subscribe("kept:1") == Error(105, "already subscribed")


@pytest.mark.parametrize(
    ("namespace", "channel"), [("user", "user:amina"), ("", "#amina"), ("kept", "kept:#amina")]
)
async def test_users_find_themselves_in_their_personal_channel(sqlite_database, namespace, channel):
    settings = ChannelSettings(
        namespaces={"kept": KEPT}, subscribe_to_personal=True, personal_namespace=namespace
    )
    async with serving(Node(sqlite_database, channel_settings=settings)) as node:
        async with talking(node) as talker:
            result = await connected(talker, node.token(AMINA))
            await publish(node, channel, b'{"unread":3}')

            assert result.subs.keys() == {channel}
            assert (await pushed(talker)).channel == channel
        async with talking(node) as talker:
            assert (await connected(talker, node.token(""))).subs == {}


async def test_what_was_missed_since_the_last_connection_comes_with_the_next(node):
    token = node.token(AMINA, channels=["kept:1"])
    async with talking(node) as talker:
        await connected(talker, token)
        await publish(node, "kept:1")
        await pushed(talker)
        positions = talker.protocol.positions
    await publish(node, "kept:1", b'{"missed":true}')

    async with talking(node, positions=positions) as talker:
        result = await talker.answer(talker.protocol.connect(token=token, recover=["kept:1"]))

    assert result.subs["kept:1"].recovered
    assert [each.data for each in result.subs["kept:1"].publications] == [b'{"missed":true}']


async def test_one_answer_recovers_only_as_much_as_clients_take_in(sqlite_database):
    node = Node(
        sqlite_database,
        channel_settings=SETTINGS,
        recovery_options=RecoveryOptions(recovered_bytes=50),
    )
    channels = ["kept:1", "kept:2", "kept:3"]
    async with serving(node):
        token = node.token(AMINA, channels=channels)
        async with talking(node) as talker:
            await connected(talker, token)
            positions = talker.protocol.positions
        for channel, size in zip(channels, (30, 30, 10), strict=True):
            await publish(node, channel, b'"%b"' % (b"x" * size))
        async with talking(node, positions=positions) as talker:
            result = await talker.answer(talker.protocol.connect(token=token, recover=channels))

    assert [result.subs[each].recovered for each in channels] == [True, False, True]
    assert result.subs["kept:2"].publications == ()


# --- by what a client asks for when it connects -------------------------------------------------


async def test_a_client_may_ask_for_channels_when_it_connects(node):
    """As one-way clients must: for what they could subscribe to."""
    hers, others = await node.conversation(AMINA), await node.conversation(KARIM)
    refused = ["kept:1", "nowhere:1", CONTROL, "x" * 256, "", "user:karim", channel_of(others)]
    given = set()
    for channel in ["open:1", channel_of(hers), *refused]:
        async with talking(node) as talker:
            request = ConnectRequest(token=node.token(AMINA), subs={channel: SubscribeRequest()})
            given |= (await talker.answer(talker.protocol.request(request))).subs.keys()

    assert given == {"open:1", channel_of(hers)}


async def test_a_client_asks_for_no_more_channels_than_it_may_have(node):
    subs = {f"open:{number}": SubscribeRequest() for number in range(5)}
    async with talking(node) as talker:
        request = ConnectRequest(token=node.token(AMINA, channels=["kept:1"]), subs=subs)
        result = await talker.answer(talker.protocol.request(request))

    assert result.subs.keys() == {"kept:1", "open:0", "open:1"}


# --- by orders ------------------------------------------------------------------------------------


async def test_an_order_subscribes_a_connection(node):
    await publish(node, "kept:1")
    async with talking(node, AMINA) as talker:
        order(node, Subscribe(user_id=AMINA, channel="kept:1", data=msgspec.Raw(b'{"seat":1}')))
        told = await pushed(talker)
        await publish(node, "kept:1")

        assert told.channel == "kept:1"
        assert (told.event.recoverable, told.event.offset) == (True, 1)
        assert told.event.data == b'{"seat":1}'
        assert (await pushed(talker)).event.offset == 2


async def test_an_order_can_say_from_where_on(node):
    for _ in range(3):
        await publish(node, "kept:1")
    epoch = (await node.streams.tops(["kept:1"]))["kept:1"].epoch
    async with talking(node, AMINA) as talker:
        order(node, Subscribe(user_id=AMINA, channel="kept:1", since=(1, epoch)))

        told = await pushed(talker)

        assert told.event.offset == 1
        assert [(await pushed(talker)).event.offset for _ in range(2)] == [2, 3]


@pytest.mark.parametrize("channel", ["user:karim", "nowhere:1", CONTROL, "x" * 256])
async def test_an_order_opens_nothing_that_nobody_may_open(node, channel):
    async with talking(node, AMINA) as talker:
        order(node, Subscribe(user_id=AMINA, channel=channel))
        order(node, Subscribe(user_id=AMINA, channel="kept:1"))

        assert (await pushed(talker)).channel == "kept:1"
        await node.until(lambda: not node.commands._connecting._server_side._subscribing)
        assert [each.subscriptions.keys() for each in node.hub.connections] == [{"kept:1"}]


async def test_an_order_to_subscribe_twice_or_too_often_changes_nothing(node):
    async with talking(node, AMINA) as talker:
        for number in (1, 1, 2, 3, 4):
            order(node, Subscribe(user_id=AMINA, channel=f"kept:{number}"))
        await talker.until(lambda: len(talker.pushes) == 3)
        await node.until(lambda: not node.commands._connecting._server_side._subscribing)

        (connection,) = node.hub.connections
        assert connection.subscriptions.keys() == {"kept:1", "kept:2", "kept:3"}
        order(node, Unsubscribe(user_id=AMINA, channel="kept:1", code=2000))
        await talker.until(lambda: len(talker.pushes) == 4)
        assert isinstance(talker.pushes[3].event, events.Unsubscribe)


async def test_a_subscription_by_order_ends_at_its_time(node):
    async with talking(node, AMINA) as talker:
        expire_at = int(node.clock.now().timestamp()) + 1
        order(node, Subscribe(user_id=AMINA, channel="kept:1", expire_at=expire_at))

        assert await talker.closed() == (3006, "subscription expired")


@pytest.mark.parametrize(
    ("code", "closed"),
    [(2500, (3010, "insufficient state")), (2501, (3006, "subscription expired"))],
)
async def test_an_end_after_which_clients_subscribe_again_ends_the_connection(node, code, closed):
    """Clients subscribe again by themselves only where they did it the first time."""
    async with talking(node) as talker:
        await connected(talker, node.token(AMINA, channels=["kept:1"]))
        order(node, Unsubscribe(user_id=AMINA, channel="kept:1", code=code))

        assert await talker.closed() == closed


async def test_an_order_may_mean_all_subscriptions_of_a_user(node):
    async with talking(node, AMINA) as talker:
        for channel in ("open:1", "open:2"):
            await talker.subscribe(channel)

        order(node, Unsubscribe(user_id=AMINA, channel="", code=2001, reason="the hall is closed"))

        ended = [await pushed(talker) for _ in range(2)]
        assert {each.channel for each in ended} == {"open:1", "open:2"}
        assert ended[0].event == events.Unsubscribe(2001, "the hall is closed")


async def test_an_order_may_mean_one_connection_only(node):
    async with talking(node, AMINA) as one, talking(node, AMINA) as other:
        meant = next(each for each in node.hub.connections)

        order(node, Subscribe(user_id=AMINA, channel="kept:1", client=meant.client))
        order(node, Subscribe(user_id=AMINA, channel="kept:2"))

        assert (await pushed(other)).channel == "kept:2"
        assert [(await pushed(one)).channel for _ in range(2)] == ["kept:1", "kept:2"]


async def test_an_order_about_somebody_elses_connection_is_about_nobody(node):
    async with talking(node, AMINA) as amina, talking(node, KARIM) as karim:
        (hers,) = node.hub.roster.of_user(AMINA)

        order(node, Disconnect(user_id=KARIM, client=hers.client, code=3503))
        order(node, Disconnect(user_id=UserId("nobody"), code=3503))
        order(node, Subscribe(user_id=AMINA, channel="kept:1"))

        assert (await pushed(amina)).channel == "kept:1"
        assert isinstance(await karim.subscribe("open:1"), results.SubscribeResult)


async def test_an_order_may_spare_some_connections(node):
    async with talking(node, AMINA) as one, talking(node, AMINA) as other:
        spared = next(each for each in node.hub.connections)

        order(
            node, Disconnect(user_id=AMINA, code=4501, reason="elsewhere", spared=(spared.client,))
        )

        assert await other.closed() == (4501, "elsewhere")
        assert isinstance(await one.subscribe("open:1"), results.SubscribeResult)


async def test_an_order_moves_when_a_connection_expires(node):
    now = int(node.clock.now().timestamp())
    async with talking(node) as later, talking(node) as never:
        await connected(later, node.token(AMINA, seconds=2))
        await connected(never, node.token(KARIM, seconds=2))

        order(node, Refresh(user_id=AMINA, expire_at=now + 3))
        order(node, Refresh(user_id=KARIM))

        told = (await pushed(later)).event
        assert told.expires
        assert told.ttl in (2, 3)
        assert (await pushed(never)).event == events.Refresh(False, 0)
        assert (await later.closed())[0] == 3005
        assert node.clock.now().timestamp() >= now + 3
        assert isinstance(await never.subscribe("open:1"), results.SubscribeResult)


@pytest.mark.parametrize("what", [{"expired": True}, {"expire_at": 1}])
async def test_an_order_ends_a_connection_as_expired(node, what):
    async with talking(node, AMINA) as talker:
        order(node, Refresh(user_id=AMINA, **what))

        assert await talker.closed() == (3005, "connection expired")


# --- orders that come while a client connects -----------------------------------------------------


def meanwhile(node: Node, what: Order) -> None:
    """Let an order come while the channels of a connection are being opened."""
    open_channel = node.following.open

    async def disturbed(name: str) -> Any:
        node.following.open = open_channel  # type: ignore[method-assign]
        node.hub.obey(what)
        return await open_channel(name)

    node.following.open = disturbed  # type: ignore[method-assign]


async def test_a_client_is_disconnected_while_it_connects(node):
    meanwhile(node, Disconnect(user_id=AMINA, code=3503))
    async with talking(node) as talker:
        talker.protocol.connect(token=node.token(AMINA, channels=["kept:1"]))
        await talker.flush()

        assert await talker.closed() == (3503, "force disconnect")
    assert not node.hub.connections
    assert not node.hub.roster.of_user(AMINA)


async def test_a_subscription_ends_while_its_connection_begins(node):
    meanwhile(node, Unsubscribe(user_id=AMINA, channel="kept:1", code=2000))
    async with talking(node) as talker:
        result = await connected(talker, node.token(AMINA, channels=["kept:1", "kept:2"]))

    assert result.subs.keys() == {"kept:2"}


async def test_an_order_in_the_turn_after_a_client_said_who_it_is_is_heeded(node):
    enter = node.hub.roster.enter
    end = Unsubscribe(user_id=AMINA, channel="kept:1", code=2000)

    def entered(connection: Any) -> None:
        enter(connection)
        asyncio.get_running_loop().call_soon(node.hub.obey, end)

    node.hub.roster.enter = entered  # type: ignore[method-assign]
    async with talking(node) as talker:
        result = await connected(talker, node.token(AMINA, channels=["kept:1", "kept:2"]))

    assert result.subs.keys() == {"kept:2"}


async def test_a_subscription_begins_after_its_connection(node):
    meanwhile(node, Subscribe(user_id=AMINA, channel="kept:2"))
    async with talking(node) as talker:
        result = await connected(talker, node.token(AMINA, channels=["kept:1"]))

        assert result.subs.keys() == {"kept:1"}
        assert (await pushed(talker)).channel == "kept:2"


async def test_a_connection_that_is_refused_leaves_nothing_behind(node):
    async def away(_name: str) -> Any:
        order(node, Subscribe(user_id=AMINA, channel="kept:2"))
        raise Unavailable("The bus is away.")

    node.following.open = away  # type: ignore[method-assign]
    async with talking(node) as talker:
        id = talker.protocol.connect(token=node.token(AMINA, channels=["kept:1"]))
        error = await talker.answer(id)
        assert (error.code, error.temporary) == (100, True)
    await node.until(lambda: not node.hub.connections)
    assert not node.hub.roster.of_user(AMINA)
    assert not node.commands._connecting._server_side._early


# --- fresh tokens ---------------------------------------------------------------------------------


async def test_a_fresh_token_with_other_channels_makes_the_client_connect_anew(node):
    async with talking(node) as talker:
        await connected(talker, node.token(AMINA, channels=["kept:1"]))
        same = node.token(AMINA, subs={"kept:1": {}}, seconds=60)
        refreshed = await talker.answer(talker.protocol.request(RefreshRequest(same)))
        talker.protocol.request(RefreshRequest(node.token(AMINA, channels=["kept:2"])))
        await talker.flush()

        assert isinstance(refreshed, results.RefreshResult)
        assert await talker.closed() == (3010, "insufficient state")


async def test_what_a_fresh_token_says_of_its_user_others_see(node):
    async with talking(node) as talker:
        subs = {"seen:1": {}}
        await connected(talker, node.token(AMINA, subs=subs, info={"name": "Amina"}))
        fresh = node.token(AMINA, subs=subs, info={"name": "أمينة"})

        await talker.answer(talker.protocol.request(RefreshRequest(fresh)))

        await node.parts.channel_keeper.step()

        there = await talker.answer(talker.protocol.presence("seen:1"))
        (info,) = there.presence.values()
        assert msgspec.json.decode(info.conn_info) == {"name": "أمينة"}
