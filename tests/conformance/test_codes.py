"""Every code that we close, refuse or end a subscription with, and what the clients do then.

A code that clients take for good leaves an application silently offline; one that they take for
temporary brings them back for ever. So each code is shown to each client in each format.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from kernel.adapters.database import Database
from kernel.clock import SystemClock
from kernel.errors import Kind, Refusal, Unavailable
from kernel.identity import Claims, Principal, TokenVerifier
from kernel.operations import Operation
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.connections.connection import Connection
from messaging.connections.departures import WireOptions
from messaging.connections.quotas import ConnectionOptions
from messaging.protocol.codes import (
    DisconnectCode,
    ErrorCode,
    UnsubscribeCode,
    disconnect_reason,
    reconnects,
)
from messaging.refusals import RPC_CODES, Declined
from tests.conformance.clients import KINDS, Clients, JavaScriptClient
from tests.conformance.conftest import AnyClient
from tests.conformance.events import NEVER, ClientError
from tests.conformance.python_client import PythonClient
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, serving, verifier

pytestmark = [pytest.mark.external]

Meet = Callable[..., Awaitable[AnyClient]]
MESSAGE_TOO_BIG = 3
"""How clients report to their application that a message was too big (1009)."""

_TOO_BIG = {JavaScriptClient: "disconnected", PythonClient: "connecting"}
"""The JavaScript client gives up for good; centrifuge-python 0.7 comes back all the same."""

DISCONNECTS = [*DisconnectCode, 4000, 4499, 4500, 4999, 1000, 1001, 1012]

OPEN = ChannelOptions(allow_subscribe_for_client=True)


class Moody:
    """Reads tokens once it has refused as many as it was told to."""

    def __init__(self, inner: TokenVerifier) -> None:
        self._inner = inner
        self.refusals: list[Exception] = []

    def verify_at_once(self, token: str) -> Principal | None:
        if self.refusals:
            return None
        return self._inner.verify_at_once(token)

    async def verify(self, token: str) -> Principal:
        if self.refusals:
            raise self.refusals.pop()
        return await self._inner.verify(token)

    async def claims(self, token: str) -> Claims:
        return await self._inner.claims(token)


class Asked(msgspec.Struct, frozen=True):
    """Which kind of no it shall be; without one it is a fault of ours."""

    kind: Kind | None = None


async def _refuse(_: Principal, asked: Asked) -> Asked:
    if asked.kind is None:
        raise RuntimeError("a fault of ours")
    refusal = type("Refused", (Refusal,), {"kind": asked.kind, "code": "test.refused"})
    raise refusal("Not today.")


REFUSE = Operation(
    name="test.refuse", method="POST", path="/v1/refuse", summary="Refuse.",
    takes=Asked, gives=Asked, run=_refuse, rpc=True,
)  # fmt: skip


@pytest.fixture
def tokens() -> Moody:
    return Moody(verifier(SystemClock()))


@pytest.fixture
def settings() -> ChannelSettings:
    return ChannelSettings(namespaces={"open": OPEN, "closed": ChannelOptions()})


@pytest.fixture
async def node(
    sqlite_database: Database, tokens: Moody, settings: ChannelSettings
) -> AsyncIterator[Node]:
    made = Node(
        sqlite_database,
        tokens=tokens,
        channel_settings=settings,
        connection_options=ConnectionOptions(
            ping_seconds=1, pong_seconds=0.5, expiry_grace_seconds=2, channels=3
        ),
        wire_options=WireOptions(message_bytes=16_384),
        more_operations=[REFUSE],
    )
    async with serving(made) as running:
        yield running


@pytest.fixture(params=KINDS)
async def meet(request: pytest.FixtureRequest, node: Node, clients: Clients) -> AsyncIterator[Meet]:
    """Makes a client of one kind, and closes it when the test ends."""
    made: list[AnyClient] = []

    async def meet(*, tokens: list[str] | None = None, connected: bool = True) -> AnyClient:
        given = [node.token(AMINA)] * 2 if tokens is None else tokens
        client = clients.client(request.param, node.url, given)
        made.append(client)
        await client.start()
        await client.do("connect")
        if connected:
            await client.event("connected")
        return client

    yield meet
    for client in made:
        await client.close()


def connection_of(node: Node) -> Connection:
    [connection] = node.hub.connections
    return connection


# --- disconnects ----------------------------------------------------------------------------------


# A close frame is the same in both formats.
@pytest.mark.parametrize("meet", ["javascript-json", "python-protobuf"], indirect=True)
@pytest.mark.parametrize("code", DISCONNECTS)
async def test_a_client_comes_back_from_a_disconnect_exactly_when_the_code_says_so(
    node: Node, meet: Meet, code: int
) -> None:
    client = await meet()

    connection_of(node).disconnect(code)

    if not reconnects(code):
        told = await client.event("disconnected")
        assert told["code"] == code
        assert told["reason"] == disconnect_reason(code)
        assert not node.hub.connections
    else:
        await client.event("connecting")
        await client.event("connected")
        assert client.count("token") == (code == DisconnectCode.STATE_INVALIDATED)
        assert client.count("disconnected") == 0


@pytest.mark.parametrize(
    "reason", ['{"reason":"x","reconnect":false}', "123", "null", '"x"', "[]", "ب" * 100]
)
async def test_a_reason_is_shown_as_it_is_and_never_taken_for_advice(
    node: Node, meet: Meet, reason: str
) -> None:
    """H7: clients would take a reason that is JSON for an old form of advice."""
    client = await meet()

    connection_of(node).disconnect(4000, reason)

    told = await client.event("connecting", code=4000)
    assert told["reason"].removesuffix(".") == reason[: len(told["reason"].removesuffix("."))]
    assert len(told["reason"]) >= min(len(reason), 60)
    await client.event("connected")


@pytest.mark.parametrize("frame", ["{", "[]", "\x05", '{"id":1,"connect":{}}', '{"id":9}'])
async def test_a_bad_frame_ends_the_connection_for_good(node: Node, meet: Meet, frame: str) -> None:
    client = await meet()

    await client.do("say", frame=frame)

    told = await client.event("disconnected")
    assert told["code"] == DisconnectCode.BAD_REQUEST


async def test_a_message_too_big_ends_the_connection(node: Node, meet: Meet) -> None:
    client = await meet()

    asked = asyncio.create_task(
        client.do("rpc", method="conversations.list", data={"much": "x" * 20_000})
    )

    await client.event(_TOO_BIG[type(client)], code=MESSAGE_TOO_BIG)
    with pytest.raises(ClientError):
        await asked


async def test_a_client_that_does_not_answer_pings_is_closed_and_comes_back(
    node: Node, meet: Meet
) -> None:
    client = await meet()

    await client.do("mute")

    await client.event("connecting", code=DisconnectCode.NO_PONG)
    await client.event("connected")


async def test_a_connection_that_is_not_refreshed_in_time_is_closed_and_comes_back(
    node: Node, meet: Meet
) -> None:
    client = await meet(tokens=[node.token(AMINA, seconds=2), NEVER, node.token(AMINA)])

    await client.event("token")

    await client.event("connecting", code=DisconnectCode.EXPIRED)
    await client.event("connected")


async def test_a_node_that_is_drained_sends_its_clients_away_for_a_while(
    node: Node, meet: Meet
) -> None:
    client = await meet()

    await node.gateway.drain(0.1)
    await client.event("connecting", code=DisconnectCode.SHUTDOWN)
    node.gateway.draining = False

    await client.event("connected")


# --- errors on connect ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", ErrorCode)
async def test_a_refused_connect_is_tried_again_exactly_when_the_code_says_so(
    node: Node, meet: Meet, tokens: Moody, code: ErrorCode
) -> None:
    tokens.refusals = [Declined(code)]

    client = await meet(connected=False)

    if code.temporary:
        await client.event("connected")
        assert client.count("token") == 0
    elif code is ErrorCode.TOKEN_EXPIRED:
        await client.event("token")
        await client.event("connected")
    else:
        told = await client.event("disconnected")
        assert (told["code"], told["reason"]) == (code, code.message)
        await node.until(lambda: not node.hub.connections)


async def test_a_client_waits_for_a_server_that_cannot_read_its_token(
    node: Node, meet: Meet, tokens: Moody
) -> None:
    tokens.refusals = [Unavailable("The keys cannot be read."), Unavailable("Nor now.")]

    client = await meet(connected=False)

    await client.event("connected")


# --- errors on subscribe --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("none:1", ErrorCode.UNKNOWN_CHANNEL),
        ("closed:1", ErrorCode.PERMISSION_DENIED),
        ("user:somebody else", ErrorCode.PERMISSION_DENIED),
        ("$open:1", ErrorCode.PERMISSION_DENIED),
        ("open:" + "x" * 255, ErrorCode.BAD_REQUEST),
    ],
)
async def test_a_channel_that_is_refused_is_given_up(
    meet: Meet, channel: str, code: ErrorCode
) -> None:
    client = await meet()

    await client.do("subscribe", channel=channel)

    told = await client.event("unsubscribed")
    assert told["code"] == code
    await client.do("ready")


async def test_a_channel_that_the_server_subscribed_to_is_not_subscribed_to_twice(
    node: Node, meet: Meet
) -> None:
    client = await meet(tokens=[node.token(AMINA, channels=["open:1"])])

    await client.do("subscribe", channel="open:1")

    told = await client.event("unsubscribed")
    assert told["code"] == ErrorCode.ALREADY_SUBSCRIBED


async def test_a_state_of_the_applications_own_is_not_asked_for_in_vain(meet: Meet) -> None:
    """Without a stream nothing can be recovered; to say so again and again is of no use."""
    client = await meet()

    await client.do("subscribe", channel="open:1", getState=[{"offset": 7, "epoch": "e"}])

    told = await client.event("subscribed")
    assert (told["wasRecovering"], told["recovered"]) == (True, False)
    assert client.count("state") == 1


async def test_more_channels_than_allowed_are_given_up(meet: Meet) -> None:
    client = await meet()
    for number in range(3):
        await client.do("subscribe", channel=f"open:{number}")
        await client.event("subscribed")

    await client.do("subscribe", channel="open:3")

    told = await client.event("unsubscribed")
    assert told["code"] == ErrorCode.LIMIT_EXCEEDED


async def test_a_channel_that_cannot_be_followed_is_tried_again(node: Node, meet: Meet) -> None:
    client = await meet()
    listener, node.following._listener = node.following._listener, None

    await client.do("subscribe", channel="open:1")
    await client.event("subscription-error")
    assert node.metric("messaging_commands_total", command="subscribe", outcome="100") == 1

    node.following._listener = listener
    await client.event("subscribed")


# --- errors of calls ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
async def test_a_call_that_is_refused_tells_the_application_why(meet: Meet, kind: Kind) -> None:
    client = await meet()

    with pytest.raises(ClientError) as refused:
        await client.do("rpc", method="test.refuse", data={"kind": kind})

    assert refused.value.code == RPC_CODES[kind][0]
    assert "test.refused: Not today." in refused.value.message
    await client.do("ready")


async def test_a_fault_of_ours_ends_nothing_and_tells_nothing(meet: Meet) -> None:
    client = await meet()

    with pytest.raises(ClientError) as refused:
        await client.do("rpc", method="test.refuse", data={})

    assert refused.value.code == ErrorCode.INTERNAL
    assert "fault of ours" not in refused.value.message
    await client.do("ready")


# --- the end of a subscription --------------------------------------------------------------------


@pytest.mark.parametrize("code", [*UnsubscribeCode, 2000, 2499, 2503, 2999])
async def test_a_client_subscribes_again_exactly_when_the_code_says_so(
    node: Node, meet: Meet, code: int
) -> None:
    client = await meet()
    await client.do("subscribe", channel="open:1")
    await client.event("subscribed")

    node.hub.dismiss(connection_of(node), "open:1", code)

    if code < 2500:
        told = await client.event("unsubscribed")
        assert told["code"] == code
    else:
        told = await client.event("subscribing", code=code)
        await client.event("subscribed")
        assert client.count("unsubscribed") == 0
    await client.do("ready")
    assert client.count("connected") == 1


async def test_a_state_that_is_no_longer_good_asks_for_another_subscription_token(
    node: Node, meet: Meet
) -> None:
    client = await meet()
    token = node.token(AMINA, channel="closed:1")
    await client.do("subscribe", channel="closed:1", tokens=[token, token])
    await client.event("subscribed")
    assert client.count("subscription-token") == 0

    node.hub.dismiss(connection_of(node), "closed:1", UnsubscribeCode.STATE_INVALIDATED)

    await client.event("subscription-token")
    await client.event("subscribed")


@pytest.mark.parametrize("lives", [-60, 2], ids=["expired", "expiring"])
async def test_a_subscription_token_is_replaced_when_its_time_is_over(
    node: Node, meet: Meet, lives: float
) -> None:
    client = await meet()
    old = node.token(AMINA, seconds=lives, channel="closed:1")

    await client.do("subscribe", channel="closed:1", tokens=[old, _lasting(node)])

    await client.event("subscription-token")
    await node.until(lambda: connection_of(node).subscriptions)
    await client.do("ready")
    assert client.count("subscribed") <= 1
    assert client.count("unsubscribed") == 0


async def test_a_subscription_that_is_not_refreshed_ends_and_begins_again(
    node: Node, meet: Meet
) -> None:
    client = await meet()
    old = node.token(AMINA, seconds=2, channel="closed:1")

    await client.do("subscribe", channel="closed:1", tokens=[old, NEVER, _lasting(node)])

    await client.event("subscribing", code=UnsubscribeCode.EXPIRED)
    await client.event("subscribed")
    assert client.count("connected") == 1


async def test_a_subscription_token_with_a_bad_signature_is_given_up(
    node: Node, meet: Meet
) -> None:
    client = await meet()
    forged = node.token(AMINA, channel="closed:1", secret="another secret, as long as the first")

    await client.do("subscribe", channel="closed:1", tokens=[forged])

    told = await client.event("unsubscribed")
    assert told["code"] == ErrorCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("user_id", "channel"), [(KARIM, "closed:1"), (AMINA, "closed:2")], ids=["user", "channel"]
)
async def test_a_subscription_token_for_another_ends_the_connection_for_good(
    node: Node, meet: Meet, user_id: str, channel: str
) -> None:
    client = await meet()

    await client.do("subscribe", channel="closed:1", tokens=[node.token(user_id, channel=channel)])

    told = await client.event("disconnected")
    assert told["code"] == DisconnectCode.INVALID_TOKEN


def _lasting(node: Node) -> str:
    return node.token(AMINA, channel="closed:1")
