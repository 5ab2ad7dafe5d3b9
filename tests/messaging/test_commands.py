"""Every command, every way it can go wrong: a clear error or the right code, and on it goes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

import msgspec
import pytest

from kernel.adapters.database import Database
from kernel.errors import Kind, RateLimited, Unavailable
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.operations import Operation, awaited
from messaging.commands.gate import GateOptions
from messaging.connections.quotas import ConnectionOptions
from messaging.nodes.control import CONTROL, Disconnect, publication_of_order
from messaging.ports import Membership
from messaging.protocol import requests, results
from messaging.protocol.codec import Codec
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.results import Error
from messaging.protocol.values import StreamPosition
from messaging.recovery.recovery import RecoveryOptions
from messaging.refusals import PROTOCOL_CODES, RPC_CODES
from messaging.rounds import Rounds
from tests.support.factories_messaging import AMINA, KARIM, LINA, member
from tests.support.rawsocket import masked, raw_websocket
from tests.support.realtime import Node, Talker, channel_of, serving, talking


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the operations made for these tests take."""

    number: int = 0


Answer = Callable[[Principal, Count], Count]


def _double(_: Principal, count: Count) -> Count:
    return Count(count.number * 2)


def _burst(_: Principal, __: Count) -> Count:
    raise RuntimeError("a bug")


def _busy(_: Principal, __: Count) -> Count:
    raise Unavailable("The database is away.")


def _limited(_: Principal, __: Count) -> Count:
    raise RateLimited("Not so fast.", retry_after=3.0)


def _operation(name: str, does: Answer, *, at_once: bool = False) -> Operation[Count, Count]:
    return Operation(
        name=name, method="POST", path=f"/v1/{name}", summary=name, takes=Count, gives=Count,
        run=awaited(does), at_once=does if at_once else None, rpc=True,
    )  # fmt: skip


OPERATIONS = [
    _operation("test.double", _double),
    _operation("test.burst", _burst),
    _operation("test.busy", _busy),
    _operation("test.limited", _limited),
    _operation("instant.double", _double, at_once=True),
    _operation("instant.burst", _burst, at_once=True),
    _operation("instant.limited", _limited, at_once=True),
]


@pytest.fixture(params=["json", "protobuf"])
def codec(request: pytest.FixtureRequest) -> Codec:
    return JSON if request.param == "json" else PROTOBUF


@pytest.fixture
async def node(sqlite_database: Database) -> AsyncIterator[Node]:
    options = ConnectionOptions(commands_per_second=0)
    built = Node(sqlite_database, connection_options=options, more_operations=OPERATIONS)
    async with serving(built) as running:
        yield running


@pytest.fixture
async def amina(node: Node, codec: Codec) -> AsyncIterator[Talker]:
    async with talking(node, AMINA, codec=codec) as talker:
        yield talker


# --- connect and refresh --------------------------------------------------------------------------


async def test_a_connection_is_told_who_it_is_and_when_to_refresh(node, codec):
    async with talking(node, codec=codec) as talker:
        token = node.token(AMINA, seconds=60)
        result = await talker.answer(talker.protocol.connect(token=token))

    assert len(result.client) == 36
    assert result.version == "zaffa test"
    assert (result.ping, result.pong) == (25, True)
    assert result.expires
    assert 55 <= result.ttl <= 60


async def test_an_expired_token_is_an_error_that_clients_act_on(node, codec):
    async with talking(node, codec=codec) as talker:
        token = node.token(AMINA, seconds=-60)
        error = await talker.answer(talker.protocol.connect(token=token))

    assert error == Error(109, "token expired")


@pytest.mark.parametrize(
    ("token", "code"),
    [("", 3501), ("nonsense", 3500), ("a.b.c", 3500), ("\u0000", 3500)],
)
async def test_a_token_that_is_none_closes_the_connection(node, codec, token, code):
    async with talking(node, codec=codec) as talker:
        talker.protocol.connect(token=token)
        await talker.flush()

        assert (await talker.closed())[0] == code


async def test_a_forged_token_closes_the_connection(node, codec):
    async with talking(node, codec=codec) as talker:
        talker.protocol.connect(token=node.token(AMINA, secret="x" * 40))
        await talker.flush()

        assert await talker.closed() == (3500, "invalid token")


async def test_nothing_comes_before_connect_and_connect_comes_once(node, codec):
    async with talking(node, codec=codec) as talker:
        talker.protocol.rpc("test.double")
        await talker.flush()
        assert (await talker.closed())[0] == 3501
    async with talking(node, AMINA, codec=codec) as talker:
        talker.protocol.connect(token=node.token(AMINA))
        await talker.flush()
        assert (await talker.closed())[0] == 3501


async def test_what_follows_connect_in_its_frame_is_done_after_it(node, codec):
    """The JavaScript client sends connect and its subscribes together."""
    there = await node.conversation(AMINA)
    async with talking(node, codec=codec) as talker:
        talker.protocol.connect(token=node.token(AMINA))
        subscribed = talker.protocol.subscribe(channel_of(there))

        assert isinstance(await talker.answer(subscribed), results.SubscribeResult)


async def test_what_follows_a_refused_connect_in_its_frame_is_not_done(node):
    async with raw_websocket(node.port) as client:
        token = node.token(AMINA, seconds=-60).encode()
        client.send(masked(b'{"id":1,"connect":{"token":"%b"}}\n{"id":2,"rpc":{}}' % token))
        assert b'"code":109' in (await client.frame()).payload

        client.send(masked(b'{"id":3,"rpc":{}}'))
        assert await client.close_code() == 3501


async def test_a_connection_lives_on_with_a_fresh_token(node, amina):
    token = node.token(AMINA, seconds=600)
    result = await amina.answer(amina.protocol.request(requests.RefreshRequest(token)))

    assert result.expires
    assert 590 <= result.ttl <= 600


@pytest.mark.parametrize(("user_id", "seconds", "code"), [(AMINA, -60, 3005), (KARIM, 60, 3500)])
async def test_another_users_or_an_old_token_does_not_refresh(node, amina, user_id, seconds, code):
    token = node.token(user_id, seconds=seconds)
    amina.protocol.request(requests.RefreshRequest(token))
    await amina.flush()

    assert (await amina.closed())[0] == code


async def test_a_connection_whose_token_ended_is_closed(sqlite_database):
    options = ConnectionOptions(expiry_grace_seconds=0.2)
    node = Node(sqlite_database, connection_options=options)
    async with serving(node), talking(node) as talker:
        await talker.answer(talker.protocol.connect(token=node.token(AMINA, seconds=1)))

        assert await talker.closed() == (3005, "connection expired")


async def test_a_user_can_be_disconnected_from_anywhere(node, amina):
    node.bus.publish([publication_of_order(Disconnect(user_id=AMINA, code=3503))])

    assert await amina.closed() == (3503, "force disconnect")


# --- subscribe ------------------------------------------------------------------------------------


async def test_who_may_subscribe_to_what(node, amina):
    hers, theirs = await node.conversation(AMINA), await node.conversation(KARIM)

    assert isinstance(await amina.subscribe(channel_of(hers)), results.SubscribeResult)
    assert isinstance(await amina.subscribe(f"user:{AMINA}"), results.SubscribeResult)
    assert await amina.subscribe(channel_of(theirs)) == Error(103, "permission denied")
    assert await amina.subscribe(f"user:{KARIM}") == Error(103, "permission denied")
    assert await amina.subscribe("news") == Error(103, "permission denied")
    for unknown in ("control:1", "conversation:1", "conversation:" + str(hers.id).upper()):
        assert await amina.subscribe(unknown) == Error(102, "unknown channel")
    for no_name in ("x" * 256, CONTROL):
        assert (await amina.subscribe(no_name)).code == 107
    assert await amina.subscribe(channel_of(hers)) == Error(105, "already subscribed")


async def test_a_refused_subscription_leaves_nothing_behind(node, amina):
    theirs = await node.conversation(KARIM)
    await amina.subscribe(channel_of(theirs))
    await node.conversations.put_member(member(theirs, AMINA))

    assert isinstance(await amina.subscribe(channel_of(theirs)), results.SubscribeResult)


async def test_ten_thousand_subscriptions_are_refused_at_the_limit(node, amina):
    there = [await node.conversation(AMINA) for _ in range(128)]
    for each in there:
        assert isinstance(await amina.subscribe(channel_of(each)), results.SubscribeResult)

    ids = []
    for number in range(10_000):
        ids.append(amina.protocol.subscribe(f"news:{number}"))
        if number % 200 == 199:
            await amina.answer(ids[-1])
    codes = {amina.answers[each].result.code for each in ids}

    assert codes == {106}
    assert isinstance(await amina.rpc("test.double"), results.RPCResult)


async def test_after_an_unsubscribe_nothing_more_comes(node, amina):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    await amina.subscribe(channel)
    await node.say(there, KARIM, "one")
    await amina.until(lambda: amina.offsets(channel) == [1])

    await amina.answer(amina.protocol.unsubscribe(channel))
    await node.say(there, KARIM, "two")
    await amina.rpc("test.double")

    assert amina.offsets(channel) == [1]
    assert await amina.answer(amina.protocol.unsubscribe("news")) == results.UnsubscribeResult()


# --- rpc ------------------------------------------------------------------------------------------


async def test_an_operation_takes_and_gives_json(node, amina):
    assert await amina.rpc("test.double", b'{"number":21}') == results.RPCResult(b'{"number":42}')


@pytest.mark.parametrize(
    ("method", "data", "code", "says", "temporary"),
    [
        ("none", b"{}", 104, "method not found", False),
        ("test.double", b'{"number":"x"}', 400, "number", False),
        ("test.double", b'{"other":1}', 400, "other: is not a known field", False),
        ("test.double", b"[]", 400, "body", False),
        ("test.double", b"{", 107, "JSON", False),
        ("test.double", b'"\xff"', 107, "JSON", False),
        ("test.double", b"[" * 65 + b"]" * 65, 107, "JSON", False),
        ("test.double", b'{"number":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 107, "JSON", False),
        ("test.burst", b"{}", 100, "internal server error", True),
        ("test.busy", b"{}", 503, "unavailable: The database is away.", True),
        ("test.limited", b"{}", 429, "rate_limited: Not so fast.", True),
        ("instant.double", b'{"number":"x"}', 400, "number", False),
        ("instant.burst", b"{}", 100, "internal server error", True),
        ("instant.limited", b"{}", 429, "rate_limited: Not so fast.", True),
    ],
)
async def test_what_goes_wrong_is_told_and_the_connection_goes_on(
    node, method, data, code, says, temporary
):
    async with talking(node, AMINA, codec=PROTOBUF) as talker:
        error = await talker.rpc(method, data)
        assert (error.code, error.temporary) == (code, temporary)
        assert says in error.message

        assert isinstance(await talker.rpc("test.double"), results.RPCResult)


async def test_instant_operations_are_answered_together_when_they_are_asked_together(node):
    async with raw_websocket(node.port) as client:
        client.send(masked(b'{"id":1,"connect":{"token":"%b"}}' % node.token(AMINA).encode()))
        await client.frame()
        asked = b'{"id":%d,"rpc":{"method":"instant.double","data":{"number":%d}}}'
        client.send(masked(b"\n".join(asked % (number, number) for number in range(2, 6))))

        answered = b'{"id":%d,"rpc":{"data":{"number":%d}}}'
        [_, text] = await client.frame()
        assert text == b"\n".join(answered % (number, 2 * number) for number in range(2, 6))


async def test_a_foreign_conversation_does_not_exist(node, amina):
    theirs = await node.conversation(KARIM)
    error = await amina.rpc("messages.send", _message(theirs.id, "k"))

    assert error.code == 404
    assert error.message.startswith("conversation.not_found: ")


async def test_many_messages_on_their_way_at_once_keep_their_order(node, amina):
    there = await node.conversation(AMINA)
    ids = [
        amina.protocol.rpc("messages.send", _message(there.id, f"key {number}"))
        for number in range(100)
    ]
    sent = [msgspec.json.decode((await amina.answer(each)).data) for each in ids]

    assert [each["offset"] for each in sent] == list(range(1, 101))
    assert [each["idempotency_key"] for each in sent] == [f"key {n}" for n in range(100)]


async def test_the_same_key_gives_the_same_message(node, amina):
    there = await node.conversation(AMINA)
    first = await amina.rpc("messages.send", _message(there.id, "k"))

    assert await amina.rpc("messages.send", _message(there.id, "k")) == first


async def test_a_line_feed_in_a_body_does_not_cut_a_frame(node):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    async with talking(node, AMINA, codec=PROTOBUF) as writer, talking(node, KARIM) as reader:
        await reader.subscribe(channel)
        data = _message(there.id, "k").replace(b'"text"', b'\n"text"')
        await writer.rpc("messages.send", data)
        await reader.until(lambda: reader.offsets(channel) == [1])


# --- history and presence -------------------------------------------------------------------------


async def test_history_is_read_in_both_directions(node, amina):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    await node.say(there, AMINA, *"abcdef")
    epoch = await node.store.epoch()

    async def offsets(**asked: Any) -> list[int]:
        result = await amina.answer(amina.protocol.history(channel, **asked))
        assert (result.epoch, result.offset) == (epoch, 6)
        return [each.offset for each in result.publications]

    assert await offsets(limit=0) == []
    assert await offsets(limit=2) == [1, 2]
    assert await offsets(limit=-1) == [1, 2, 3, 4, 5, 6]
    assert await offsets(limit=2, since=StreamPosition(3, epoch)) == [4, 5]
    assert await offsets(limit=9, since=StreamPosition(6, epoch)) == []
    assert await offsets(limit=2, reverse=True) == [6, 5]
    assert await offsets(limit=2, since=StreamPosition(3, epoch), reverse=True) == [2, 1]


@pytest.mark.parametrize(("reverse", "offsets"), [(False, [1, 2]), (True, [4, 3])])
async def test_a_page_of_history_ends_before_it_is_too_heavy(sqlite_database, reverse, offsets):
    node = Node(sqlite_database, recovery_options=RecoveryOptions(recovered_bytes=600))
    async with serving(node), talking(node, AMINA) as amina:
        there = await node.conversation(AMINA)
        await node.say(there, AMINA, *"1234")

        asked = amina.protocol.history(channel_of(there), limit=10, reverse=reverse)
        result = await amina.answer(asked)

    assert [each.offset for each in result.publications] == offsets
    assert result.offset == 4


@pytest.mark.parametrize("since", [StreamPosition(1, "other"), StreamPosition(9, "")])
async def test_history_from_a_position_that_is_none_is_unrecoverable(node, amina, since):
    there = await node.conversation(AMINA)
    await node.say(there, AMINA, "a")

    asked = amina.protocol.history(channel_of(there), limit=1, since=since)
    assert await amina.answer(asked) == Error(112, "unrecoverable position")


async def test_history_and_presence_are_for_those_who_may_listen(node, amina):
    theirs = channel_of(await node.conversation(KARIM))
    protocol = amina.protocol

    for asked in (
        protocol.history(theirs, limit=1),
        protocol.presence(theirs),
        protocol.request(requests.PresenceStatsRequest(theirs)),
    ):
        assert (await amina.answer(asked)).code == 103
    assert (await amina.answer(protocol.history(f"user:{KARIM}", limit=1))).code == 103
    assert (await amina.answer(protocol.history("news", limit=1))).code == 108
    assert (await amina.answer(protocol.presence("news"))).code == 108


async def test_presence_names_the_members_who_are_connected(node, amina):
    there = await node.conversation(AMINA, KARIM, LINA)
    channel = channel_of(there)
    async with talking(node, KARIM), talking(node, KARIM):
        await node.until(lambda: len(node.registry._connections) == 2)
        present = await amina.answer(amina.protocol.presence(channel))
        stats = await amina.answer(amina.protocol.request(requests.PresenceStatsRequest(channel)))

    assert sorted(each.user for each in present.presence.values()) == [AMINA, KARIM, KARIM]
    assert all(client == each.client for client, each in present.presence.items())
    assert stats == results.PresenceStatsResult(num_clients=3, num_users=2)


# --- what is declined -----------------------------------------------------------------------------


async def test_nothing_is_published_past_the_use_cases(node, amina):
    hers = channel_of(await node.conversation(AMINA))
    for channel, code in ((hers, 103), (f"user:{AMINA}", 103), ("news", 103), ("x:1", 102)):
        asked = amina.protocol.request(requests.PublishRequest(channel, b"{}"))
        assert (await amina.answer(asked)).code == code


async def test_a_send_that_nobody_takes_closes_the_connection(node, amina):
    amina.protocol.send(b"{}")
    await amina.flush()

    assert await amina.closed() == (3508, "not available")


async def test_a_send_reaches_who_takes_it(sqlite_database):
    taken: list[tuple[UserId, bytes]] = []
    node = Node(sqlite_database, on_send=lambda who, data: taken.append((who.user, data)))
    async with serving(node), talking(node, AMINA) as talker:
        talker.protocol.send(b'{"a":1}')
        await talker.flush()
        await node.until(lambda: taken)

    assert taken == [(AMINA, b'{"a":1}')]


async def test_what_nobody_speaks_any_more_is_not_available(amina):
    assert (await amina.answer(amina.protocol.request(requests.PingRequest()))).code == 108


@pytest.mark.parametrize("unknown", [b'{"id":2,"teleport":{}}', b'{"id":2}', b'{"id":-1}', b"[]"])
async def test_what_is_no_command_closes_the_connection_and_nothing_else(node, amina, unknown):
    async with raw_websocket(node.port) as client:
        token = node.token(KARIM).encode()
        client.send(masked(b'{"id":1,"connect":{"token":"%b"}}' % token))
        await client.frame()
        client.send(masked(unknown))
        assert await client.close_code() == 3501

    assert isinstance(await amina.rpc("test.double"), results.RPCResult)


# --- limits ---------------------------------------------------------------------------------------


async def test_too_many_commands_a_second_are_refused_for_the_moment(sqlite_database):
    options = ConnectionOptions(commands_per_second=20, commands_burst=5)
    node = Node(sqlite_database, connection_options=options, more_operations=OPERATIONS)
    async with serving(node), talking(node, AMINA) as talker:
        ids = [talker.protocol.rpc("test.double") for _ in range(8)]
        results = [await talker.answer(each) for each in ids]
        assert [isinstance(each, Error) for each in results] == [False] * 5 + [True] * 3
        assert results[-1] == Error(111, "too many requests", temporary=True)

        async with asyncio.timeout(5):
            while isinstance(await talker.rpc("test.double"), Error):
                pass


async def test_a_node_with_its_hands_full_says_so_at_once(sqlite_database):
    release = asyncio.Event()

    class Slow(Node):
        """Its membership takes as long as the test wants."""

        def __post_init__(self) -> None:
            super().__post_init__()

            async def slowly(pairs: Collection[Membership]) -> Collection[Membership]:
                await release.wait()
                return await self.conversations.memberships(pairs)

            self.access._members = Rounds(slowly)

    node = Slow(sqlite_database, gate_options=GateOptions(admitted=1, wait_seconds=0.1))
    async with serving(node), talking(node, AMINA) as amina, talking(node, KARIM) as karim:
        there = await node.conversation(AMINA, KARIM)
        first = amina.protocol.subscribe(channel_of(there))
        await amina.flush()
        await node.until(lambda: any(each.subscriptions for each in node.hub.connections))

        assert await karim.subscribe(channel_of(there)) == Error(111, "too many requests", True)
        release.set()
        assert isinstance(await amina.answer(first), results.SubscribeResult)
        assert isinstance(await karim.subscribe(channel_of(there)), results.SubscribeResult)


async def test_a_subscription_that_takes_too_long_is_a_temporary_error(sqlite_database):
    class Stuck(Node):
        """Its membership is never told."""

        def __post_init__(self) -> None:
            super().__post_init__()

            async def never(_: Collection[Membership]) -> Collection[Membership]:
                await asyncio.Event().wait()
                return []

            self.access._members = Rounds(never)

    node = Stuck(sqlite_database, gate_options=GateOptions(wait_seconds=0.05, answer_seconds=0.1))
    async with serving(node), talking(node, AMINA) as amina:
        error = await amina.subscribe(channel_of(await node.conversation(AMINA)))

    assert (error.code, error.temporary) == (100, True)


def test_every_kind_of_refusal_has_its_numbers():
    assert set(PROTOCOL_CODES) == set(RPC_CODES) == set(Kind)
    assert all(400 <= code < 2000 for code, _ in RPC_CODES.values())
    assert RPC_CODES[Kind.UNAVAILABLE][1]
    assert PROTOCOL_CODES[Kind.UNAVAILABLE].temporary


def _message(conversation_id: object, key: str) -> bytes:
    return msgspec.json.encode(
        {"conversation_id": conversation_id, "idempotency_key": key, "body": {"text": key}}
    )
