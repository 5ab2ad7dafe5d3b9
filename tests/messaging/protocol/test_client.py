"""The client's side, alone and against the server's side in memory."""

import pytest

from messaging.protocol.client import Answered, ClientProtocol
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation
from messaging.protocol.events import Disconnect, Message, Refresh, Subscribe, Unsubscribe
from messaging.protocol.frames import PING, Command, Push, Reply
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import (
    ConnectRequest,
    HistoryRequest,
    PresenceRequest,
    RPCRequest,
    SendRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from messaging.protocol.results import (
    ConnectResult,
    Error,
    HistoryResult,
    PresenceResult,
    RPCResult,
    SubscribeResult,
    UnsubscribeResult,
)
from messaging.protocol.server import Rules, ServerProtocol
from messaging.protocol.values import ClientInfo, Publication, StreamPosition

both = pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=lambda codec: codec.name)

STREAM = SubscribeResult(recoverable=True, epoch="e", offset=5, positioned=True)


def hear(client, *answers):
    """Let the client receive one frame with these answers."""
    codec = client.codec
    encoded = [
        codec.encode_reply(each)
        if isinstance(each, Reply)
        else codec.ping
        if each is PING
        else codec.encode_push(each)
        for each in answers
    ]
    return client.receive(codec.join(encoded))


def connected(codec=JSON, *, positions=None, **result):
    client = ClientProtocol(codec, positions=positions)
    hear(client, Reply(client.connect(), ConnectResult("c", "v", **result)))
    client.take_output()
    return client


def subscribed(codec=JSON, *, positions=None, result=STREAM):
    client = connected(codec, positions=positions)
    hear(client, Reply(client.subscribe("chat"), result))
    client.take_output()
    return client


def said(client):
    return client.codec.decode_commands(client.take_output(), limit=99)


def publication(offset, channel="chat"):
    return Push(Publication(b"{}", offset=offset), channel)


@both
def test_requests_made_before_the_connect_is_answered_travel_with_it(codec):
    client = ClientProtocol(codec)

    client.connect(token="t", name="test")
    client.subscribe("chat")

    assert said(client) == [
        Command(1, ConnectRequest(token="t", name="test")),
        Command(2, SubscribeRequest("chat", flag=1)),
    ]
    assert client.take_output() is None


@both
def test_every_request_has_its_words(codec):
    client = connected(codec)

    client.rpc("m", b"1")
    client.send(b"2")
    client.history("chat", limit=3, since=StreamPosition(4, "e"), reverse=True)
    client.presence("chat")
    client.unsubscribe("chat")

    assert said(client) == [
        Command(2, RPCRequest("m", b"1")),
        Command(0, SendRequest(b"2")),
        Command(3, HistoryRequest("chat", 3, StreamPosition(4, "e"), reverse=True)),
        Command(4, PresenceRequest("chat")),
        Command(5, UnsubscribeRequest("chat")),
    ]


@both
def test_answers_find_their_requests_in_any_order(codec):
    client = connected(codec)
    first, second, third = client.rpc("a"), client.presence("chat"), client.rpc("b")

    heard = hear(
        client,
        Reply(third, RPCResult(b"3")),
        Reply(first, Error.of(ErrorCode.METHOD_NOT_FOUND)),
        Reply(second, PresenceResult({"c": ClientInfo("u", "c")})),
    )

    assert heard == [
        Answered(third, RPCRequest("b"), RPCResult(b"3")),
        Answered(first, RPCRequest("a"), Error(104, "method not found")),
        Answered(second, PresenceRequest("chat"), PresenceResult({"c": ClientInfo("u", "c")})),
    ]


@both
def test_a_ping_is_answered_when_the_server_asked_for_it(codec):
    client = connected(codec, ping=25, pong=True)

    assert hear(client, PING) == []
    assert client.take_output() == codec.pong


def test_a_ping_is_not_answered_when_the_server_did_not_ask():
    client = connected(ping=25)

    hear(client, PING)

    assert client.take_output() is None


@both
def test_publications_move_the_position_of_their_channel(codec):
    client = subscribed(codec)

    hear(client, publication(6), publication(0), publication(7))

    assert client.positions == {"chat": StreamPosition(7, "e")}


@both
def test_the_next_connection_recovers_from_where_the_last_one_was(codec):
    client = connected(codec, positions={"chat": StreamPosition(7, "e")})

    id = client.subscribe("chat", flag=3)
    assert said(client) == [
        Command(id, SubscribeRequest("chat", flag=3, recover=True, offset=7, epoch="e"))
    ]
    missed = (Publication(b"8", offset=8), Publication(b"9", offset=9))
    recovered = SubscribeResult(
        recoverable=True,
        epoch="e",
        publications=missed,
        recovered=True,
        offset=7,
        was_recovering=True,
    )
    hear(client, Reply(id, recovered), publication(10))

    assert client.positions == {"chat": StreamPosition(10, "e")}


def test_a_failed_recovery_starts_from_the_top():
    client = subscribed(
        positions={"chat": StreamPosition(7, "old")},
        result=SubscribeResult(recoverable=True, epoch="new", offset=90, was_recovering=True),
    )

    assert client.positions == {"chat": StreamPosition(90, "new")}


@both
def test_server_side_subscriptions_come_with_connecting_and_are_recovered_with_it(codec):
    client = ClientProtocol(codec, positions={"user:1": StreamPosition(3, "e")})
    id = client.connect(recover=["user:1"])

    (command,) = said(client)
    assert command.request.subs == {"user:1": SubscribeRequest(recover=True, offset=3, epoch="e")}
    subs = {"user:1": SubscribeResult(recoverable=True, epoch="e", offset=3, recovered=True)}
    hear(client, Reply(id, ConnectResult("c", "v", subs=subs)), publication(4, "user:1"))

    assert client.session.client == "c"
    assert client.positions == {"user:1": StreamPosition(4, "e")}


@both
def test_the_server_may_subscribe_and_unsubscribe_by_itself(codec):
    client = connected(codec)

    hear(
        client,
        Push(Subscribe(recoverable=True, epoch="e", offset=2, positioned=True), "chat"),
        publication(3),
        Push(Unsubscribe(2500, "insufficient state"), "chat"),
    )

    assert client.channels == set()
    assert client.positions == {"chat": StreamPosition(3, "e")}


def test_a_channel_without_a_stream_has_no_position():
    client = subscribed(result=SubscribeResult())

    hear(client, publication(0), publication(9))

    assert client.positions == {}


@both
def test_other_pushes_are_reported_as_they_are(codec):
    client = connected(codec)
    pushes = [Push(Message(b"1")), Push(Refresh(expires=True, ttl=9)), Push(Disconnect(3001, "x"))]

    assert hear(client, *pushes) == pushes
    assert client.disconnect == Disconnect(3001, "x")


@pytest.mark.parametrize("offset", [5, 7])
def test_a_publication_out_of_order_is_a_violation(offset):
    with pytest.raises(ProtocolViolation, match="went from offset 5") as caught:
        hear(subscribed(), publication(offset))

    assert caught.value.code is DisconnectCode.INSUFFICIENT_STATE


def test_a_publication_before_the_reply_or_after_the_end_of_its_subscription_is_a_violation():
    early = connected()
    early.subscribe("chat")
    with pytest.raises(ProtocolViolation, match="not subscribed"):
        hear(early, publication(1))

    late = subscribed()
    id = late.unsubscribe("chat")
    hear(late, publication(6), Reply(id, UnsubscribeResult()))
    with pytest.raises(ProtocolViolation, match="not subscribed"):
        hear(late, publication(7))


def test_recovering_from_elsewhere_is_a_violation():
    for positions in ({}, {"chat": StreamPosition(4, "e")}):
        with pytest.raises(ProtocolViolation, match="a position it was not at"):
            subscribed(
                positions=positions,
                result=SubscribeResult(recoverable=True, epoch="e", offset=5, recovered=True),
            )


def test_an_answer_to_nothing_or_of_another_kind_is_a_violation():
    with pytest.raises(ProtocolViolation, match="nothing was asked"):
        hear(connected(), Reply(9, RPCResult()))

    client = connected()
    with pytest.raises(ProtocolViolation, match="RPCRequest was answered by HistoryResult"):
        hear(client, Reply(client.rpc("m"), HistoryResult((), "", 0)))


def test_a_ping_before_the_connection_is_on_is_a_violation():
    client = ClientProtocol(JSON)
    client.connect()

    with pytest.raises(ProtocolViolation, match="before the connection was on"):
        hear(client, PING)


def test_a_refused_connect_leaves_no_session():
    client = ClientProtocol(JSON)

    hear(client, Reply(client.connect(), Error.of(ErrorCode.TOKEN_EXPIRED)))

    assert client.session is None


def test_a_request_that_nobody_answers_is_a_bug_of_ours():
    with pytest.raises(AssertionError):
        connected().request(SendRequest(b"1"))


# --- Both sides, in memory --------------------------------------------------------------------


class ConnectionPair:
    """A client and a server that hear each other at once; the server's stream holds 1 to `top`."""

    def __init__(self, codec, *, top=0, positions=None):
        self.client = ClientProtocol(codec, positions=positions)
        self.server = ServerProtocol(codec, rules=Rules(), now=0.0)
        self.top = top

    def exchange(self):
        """Carry the client's frame over and the answers back; what the client heard."""
        frame = self.client.take_output()
        if frame is None:
            return []
        answers = [self._answer(command) for command in self.server.receive(frame)]
        return self.client.receive(self.server.codec.join(answers)) if answers else []

    def publish(self):
        self.top += 1
        encoded = self.server.codec.encode_publication("chat", b"%d" % self.top, offset=self.top)
        return self.client.receive(encoded)

    def tick(self):
        """Let time pass until something is due."""
        ping = self.server.tick(self.server.deadline)
        assert self.client.receive(ping) == []

    def _answer(self, command):
        match command.request:
            case ConnectRequest():
                result = ConnectResult("c", "zaffa 1.0")
                return self.server.accept(command, result, now=0.0, first_ping=0.75)
            case SubscribeRequest() as request:
                return self.server.reply(command, self._subscribe(request))
            case RPCRequest(data=data):
                return self.server.reply(command, RPCResult(data))
            case UnsubscribeRequest():
                return self.server.reply(command, UnsubscribeResult())
            case request:
                return self.server.refuse(command, request, now=0.0)

    def _subscribe(self, request):
        if not request.recover:
            return SubscribeResult(recoverable=True, epoch="e", offset=self.top, positioned=True)
        missed = range(request.offset + 1, self.top + 1)
        return SubscribeResult(
            recoverable=True,
            epoch="e",
            publications=tuple(Publication(b"%d" % at, offset=at) for at in missed),
            recovered=True,
            offset=request.offset,
            was_recovering=True,
        )


@both
def test_a_whole_conversation(codec):
    pair = ConnectionPair(codec, top=118)

    pair.client.connect(token="t")
    pair.client.subscribe("chat")
    connect, subscribe = pair.exchange()
    assert connect.result.ping == 25
    assert subscribe.result.offset == 118

    (push,) = pair.publish()
    assert push == Push(Publication(b"119", offset=119), "chat")

    pair.client.rpc("echo", '{"text":"مرحبا"}'.encode())
    (answered,) = pair.exchange()
    assert answered.result == RPCResult('{"text":"مرحبا"}'.encode())

    pair.client.unsubscribe("chat")
    pair.exchange()
    assert pair.client.channels == set()


@both
def test_a_client_that_comes_back_misses_nothing(codec):
    first = ConnectionPair(codec)
    first.client.connect()
    first.client.subscribe("chat")
    first.exchange()
    first.publish()

    second = ConnectionPair(codec, top=4, positions=first.client.positions)
    second.client.connect()
    second.client.subscribe("chat")
    _, subscribe = second.exchange()
    second.publish()

    assert [each.offset for each in subscribe.result.publications] == [2, 3, 4]
    assert second.client.positions == {"chat": StreamPosition(5, "e")}


@both
def test_pings_keep_both_sides_together(codec):
    pair = ConnectionPair(codec)
    pair.client.connect()
    pair.exchange()

    for _ in range(5):
        pair.tick()
        assert pair.exchange() == []

    assert pair.server.deadline == 25 * 0.75 + 25 * 5


@both
def test_what_the_protocol_declines_reaches_the_client_as_an_error(codec):
    pair = ConnectionPair(codec)
    pair.client.connect()
    pair.client.request(SubscribeRequest("chat", type=1))

    _, refused = pair.exchange()

    assert refused.result == Error(108, "not available")
