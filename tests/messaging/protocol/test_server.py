"""What may be said when, and what time demands."""

from contextlib import suppress
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation
from messaging.protocol.frames import Command, Reply
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import (
    ConnectRequest,
    HistoryRequest,
    PingRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    RPCRequest,
    SendRequest,
    SubRefreshRequest,
    SubscribeRequest,
    Unfit,
    UnsubscribeRequest,
)
from messaging.protocol.results import ConnectResult, Error, RefreshResult, RPCResult
from messaging.protocol.server import Phase, Rules, ServerProtocol
from messaging.protocol.values import FilterNode
from tests.messaging.protocol.values import commands

CONNECT = Command(1, ConnectRequest(token="t"))
HELLO = ConnectResult("c", "zaffa 1.0")

both = pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=lambda codec: codec.name)


def fresh(codec=JSON, *, now=0.0, **rules):
    return ServerProtocol(codec, rules=Rules(**rules), now=now)


def connecting(codec=JSON, **rules):
    protocol = fresh(codec, **rules)
    say(protocol, CONNECT)
    return protocol


def opened(codec=JSON, *, now=0.0, first_ping=1.0, result=HELLO, **rules):
    protocol = connecting(codec, **rules)
    protocol.accept(CONNECT, result, now=now, first_ping=first_ping)
    return protocol


def say(protocol, *commands):
    return protocol.receive(protocol.codec.join(map(protocol.codec.encode_command, commands)))


def violation(call, *arguments):
    with pytest.raises(ProtocolViolation) as caught:
        call(*arguments)
    return caught.value.code


# --- Connecting -------------------------------------------------------------------------------


@both
def test_a_frame_may_hold_connect_and_what_comes_after_it(codec):
    protocol = fresh(codec)
    subscribe = Command(2, SubscribeRequest("chat:42"))

    assert say(protocol, CONNECT, subscribe) == [CONNECT, subscribe]
    assert protocol.phase is Phase.CONNECTING


@both
@pytest.mark.parametrize(
    "first", [Command(2, RPCRequest("m")), Command(0, SendRequest(b"1")), Command()]
)
def test_connect_must_come_first(codec, first):
    assert violation(say, fresh(codec), first, CONNECT) is DisconnectCode.BAD_REQUEST


def test_connect_must_come_only_once():
    assert violation(say, fresh(), CONNECT, CONNECT) is DisconnectCode.BAD_REQUEST
    assert violation(say, connecting(), CONNECT) is DisconnectCode.BAD_REQUEST
    assert violation(say, opened(), CONNECT) is DisconnectCode.BAD_REQUEST


@both
def test_accepting_tells_the_client_how_it_will_be_pinged(codec):
    protocol = connecting(codec, ping_every=20)

    encoded = protocol.accept(CONNECT, HELLO, now=0, first_ping=0.5)

    expected = ConnectResult("c", "zaffa 1.0", ping=20, pong=True)
    assert codec.decode_answers(encoded) == [Reply(1, expected)]
    assert protocol.phase is Phase.CONNECTED


def test_without_pings_the_client_is_told_nothing_and_nothing_is_due():
    protocol = connecting(ping_every=0)

    encoded = protocol.accept(CONNECT, HELLO, now=0, first_ping=0.5)

    assert JSON.decode_answers(encoded) == [Reply(1, HELLO)]
    assert protocol.deadline == inf


def test_after_a_refused_connect_every_command_is_a_violation():
    protocol = connecting()

    encoded = protocol.refuse(CONNECT, Error.of(ErrorCode.TOKEN_EXPIRED), now=1)

    assert JSON.decode_answers(encoded) == [Reply(1, Error(109, "token expired"))]
    assert protocol.phase is Phase.REFUSED
    assert violation(say, protocol, Command(2, RPCRequest("m"))) is DisconnectCode.BAD_REQUEST
    assert violation(say, protocol, CONNECT) is DisconnectCode.BAD_REQUEST


def test_who_does_not_connect_in_time_is_stale():
    protocol = fresh(now=100, connect_within=15)

    assert protocol.deadline == 115
    assert protocol.tick(114.9) is None
    assert violation(protocol.tick, 115) is DisconnectCode.STALE


def test_who_stays_after_a_refused_connect_is_stale():
    protocol = connecting(connect_within=15)

    assert protocol.deadline == inf
    protocol.refuse(CONNECT, Error.of(ErrorCode.TOKEN_EXPIRED), now=5)

    assert violation(protocol.tick, protocol.deadline) is DisconnectCode.STALE
    assert protocol.deadline == 20


# --- Pings ------------------------------------------------------------------------------------


@both
def test_the_first_ping_comes_after_its_part_of_the_interval_and_then_each_interval(codec):
    protocol = opened(codec, now=100, first_ping=0.6, ping_every=25)

    assert protocol.deadline == 115
    assert protocol.tick(114) is None
    assert protocol.tick(115) == codec.ping
    say(protocol, Command())
    assert protocol.deadline == 140
    assert protocol.tick(140) == codec.ping


def test_a_silent_peer_is_pinged_and_then_dropped():
    protocol = opened(ping_every=25, pong_within=8)

    assert protocol.tick(25) == b"{}"
    assert protocol.deadline == 33
    assert protocol.tick(32) is None
    assert violation(protocol.tick, 33) is DisconnectCode.NO_PONG


def test_only_a_pong_answers_a_ping():
    protocol = opened(ping_every=25, pong_within=8)
    protocol.tick(25)

    say(protocol, Command(2, RPCRequest("m")))

    assert violation(protocol.tick, 33) is DisconnectCode.NO_PONG


def test_a_command_without_an_id_is_a_pong_unless_it_is_a_send():
    protocol = opened()
    sent = Command(0, SendRequest(b"1"))

    assert say(protocol, Command(0, RPCRequest("m")), sent, Command()) == [sent]


def test_a_pong_nobody_asked_for_does_no_harm():
    protocol = opened(ping_every=25)

    assert protocol.receive(b"{}") == []
    assert protocol.deadline == 25


# --- Expiry -----------------------------------------------------------------------------------

SHORT = ConnectResult("c", "zaffa 1.0", expires=True, ttl=60)


def test_a_connection_that_is_not_refreshed_expires_after_its_grace():
    protocol = opened(result=SHORT, ping_every=0, expiry_grace=25)

    assert protocol.deadline == 85
    assert protocol.tick(84) is None
    assert violation(protocol.tick, 85) is DisconnectCode.EXPIRED


def test_a_refresh_prolongs_the_connection():
    protocol = opened(result=SHORT, ping_every=0, expiry_grace=25)
    refresh = Command(2, RefreshRequest("t"))

    protocol.refreshed(refresh, RefreshResult(expires=True, ttl=100), now=50)
    assert protocol.deadline == 175

    protocol.refreshed(refresh, RefreshResult(), now=60)
    assert protocol.deadline == inf


def test_the_server_may_end_a_connection_sooner():
    protocol = opened(ping_every=25, expiry_grace=2)

    protocol.expire(10)

    assert protocol.deadline == 12


# --- What is declined without asking anybody --------------------------------------------------


@both
@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (PingRequest(), 108),
        (SubscribeRequest("c", type=1), 108),
        (SubscribeRequest("c", tf=FilterNode(op="not")), 107),
        (SubscribeRequest("c" * 256), 107),
        (SubscribeRequest("م" * 128), 107),
        (UnsubscribeRequest("a\0"), 107),
        (PresenceRequest("c" * 256), 107),
        (PublishRequest("c" * 256, b"1"), 107),
        (PublishRequest("c"), 107),
        (SubRefreshRequest("c" * 256, "t"), 107),
        (SubRefreshRequest("c"), 107),
    ],
)
def test_what_cannot_be_done_comes_as_unfit_and_is_answered_in_its_turn(codec, request_, code):
    protocol = opened(codec)
    before, after = Command(2, RPCRequest("a")), Command(4, RPCRequest("b"))

    first, unfit, last = say(protocol, before, Command(3, request_), after)

    assert (first, last) == (before, after)
    assert isinstance(unfit.request, Unfit)
    answer = codec.decode_answers(protocol.refuse(unfit, unfit.request, now=0))
    assert answer == [Reply(3, Error(code, unfit.request.message))]
    assert protocol.phase is Phase.CONNECTED


@pytest.mark.parametrize(
    "request_",
    [
        RPCRequest("m", b"\x08\x01"),
        PublishRequest("c", b"not json"),
        SubscribeRequest("c", data=b"{"),
        RPCRequest("m", b"[" * 65 + b"]" * 65),
    ],
)
def test_a_payload_that_is_not_json_is_unfit_on_protobuf_too(request_):
    (command,) = say(opened(PROTOBUF), Command(2, request_))

    assert command == Command(2, Unfit(107, "data must be JSON text"))


def test_an_unfit_connect_is_refused_like_any_other():
    protocol = fresh(PROTOBUF)
    (command,) = say(protocol, Command(1, ConnectRequest(data=b"\xff")))

    protocol.refuse(command, command.request, now=0)

    assert protocol.phase is Phase.REFUSED


@both
@pytest.mark.parametrize(
    "request_",
    [
        None,
        SubscribeRequest(),
        SubscribeRequest("c", delta="xdelta"),
        UnsubscribeRequest(),
        PublishRequest(data=b"1"),
        PresenceRequest(),
        PresenceStatsRequest(),
        HistoryRequest(),
        RefreshRequest(),
    ],
)
def test_what_no_client_sends_is_a_violation(codec, request_):
    assert violation(say, opened(codec), Command(2, request_)) is DisconnectCode.BAD_REQUEST


def test_a_send_that_is_not_json_is_a_violation_because_it_has_no_reply():
    protocol = opened(PROTOBUF)

    assert violation(say, protocol, Command(0, SendRequest(b"{"))) is DisconnectCode.BAD_REQUEST


@both
@pytest.mark.parametrize(
    "request_",
    [
        RPCRequest("m"),
        RPCRequest("m", b"null"),
        SubscribeRequest("c" * 255, delta="fossil", flag=3, recover=True, epoch="_"),
        SubscribeRequest("c", data=b"{}"),
        PublishRequest("c", b"0"),
        SubRefreshRequest("c", "t"),
        RefreshRequest("t"),
        HistoryRequest("c", -1),
        PresenceRequest("c"),
        PresenceStatsRequest("c"),
        UnsubscribeRequest("c"),
    ],
)
def test_everything_else_passes_untouched(codec, request_):
    assert say(opened(codec), Command(2, request_)) == [Command(2, request_)]


def test_a_send_has_no_reply_even_if_it_was_given_an_id():
    assert opened().receive(b'{"id":7,"send":{}}') == [Command(0, SendRequest())]


def test_a_send_without_data_passes():
    assert opened().receive(b'{"send":{}}') == [Command(0, SendRequest())]


def test_old_python_clients_may_leave_out_the_channel_of_a_sub_refresh():
    """H3: the token names it."""
    protocol = opened()

    assert protocol.receive(b'{"id":3,"sub_refresh":{"token":"t"}}') == [
        Command(3, SubRefreshRequest("", "t"))
    ]


def test_a_subscribe_says_whether_a_failed_recovery_is_an_error():
    assert not SubscribeRequest("c", flag=1).rejects_unrecovered
    assert SubscribeRequest("c", flag=3).rejects_unrecovered


def test_a_frame_holds_only_so_many_commands():
    protocol = opened(commands_per_frame=2)
    command = Command(2, RPCRequest("m"))

    assert len(say(protocol, command, command)) == 2
    assert violation(say, protocol, command, command, command) is DisconnectCode.BAD_REQUEST


# --- Whatever arrives -------------------------------------------------------------------------


@both
@given(sent=st.lists(commands, max_size=3), raw=st.binary(), at_once=st.booleans())
def test_nothing_a_client_says_does_more_than_violate_the_protocol(codec, sent, raw, at_once):
    for protocol in (fresh(codec), connecting(codec), opened(codec)):
        with suppress(ProtocolViolation):
            if at_once and sent:
                assert len(say(protocol, *sent)) == len(sent)
            protocol.receive(raw)


@both
@given(answer=st.builds(RPCResult, data=st.just(b'"\xc2\xa0"')), id=st.integers(1, 2**32 - 1))
def test_replies_carry_the_id_of_their_command(codec, answer, id):
    encoded = opened(codec).reply(Command(id, RPCRequest("m")), answer)

    assert codec.decode_answers(encoded) == [Reply(id, answer)]


# --- Our own misuse ---------------------------------------------------------------------------


def test_answering_at_the_wrong_time_is_a_bug_of_ours():
    command = Command(2, RPCRequest("m"))
    for protocol in (fresh(), connecting()):
        with pytest.raises(AssertionError):
            protocol.reply(command, RPCResult())
    for protocol in (fresh(), opened()):
        with pytest.raises(AssertionError):
            protocol.accept(CONNECT, HELLO, now=0, first_ping=1)
    with pytest.raises(AssertionError):
        fresh().refuse(command, Error.of(ErrorCode.INTERNAL), now=0)
    with pytest.raises(AssertionError):
        connecting().accept(CONNECT, HELLO, now=0, first_ping=0.1)


@pytest.mark.parametrize(
    "rules",
    [
        {"ping_every": -1},
        {"pong_within": 0},
        {"pong_within": 25},
        {"connect_within": 0},
        {"expiry_grace": -1},
        {"commands_per_frame": 0},
    ],
)
def test_rules_that_cannot_hold_are_refused(rules):
    with pytest.raises(ValueError, match="must"):
        Rules(**rules)


def test_a_connection_keeps_next_to_nothing():
    assert not hasattr(opened(), "__dict__")
