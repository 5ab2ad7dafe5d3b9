"""What listeners are sent: bare pushes, on both formats; and what becomes of the rest."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.protocol import client_pb2
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation, disconnect_for
from messaging.protocol.events import Disconnect
from messaging.protocol.frames import Command, Push, Reply
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import ConnectRequest, SubscribeRequest
from messaging.protocol.results import ConnectResult, SubscribeResult
from messaging.protocol.server import Phase, Rules, ServerProtocol
from messaging.protocol.unidirectional import ONE_WAY
from messaging.protocol.values import Publication

LISTENERS_JSON, LISTENERS_PROTOBUF = ONE_WAY[JSON], ONE_WAY[PROTOBUF]


def pushed(encoded: bytes) -> client_pb2.Push:
    """The one length-delimited push in these bytes."""
    length, at, shift = 0, 0, 0
    while True:
        length |= (encoded[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if encoded[at - 1] < 0x80:
            break
    assert len(encoded) == at + length
    return client_pb2.Push.FromString(encoded[at:])


def accepted() -> Reply:
    subs = {"user:ami": SubscribeResult(recoverable=True, epoch="x", offset=7)}
    return Reply(1, ConnectResult(client="c", version="zaffa 1", data=b'{"n":1}', subs=subs))


def test_the_answer_to_a_connect_is_a_push_of_json():
    assert json.loads(LISTENERS_JSON.encode_reply(accepted())) == {
        "connect": {
            "client": "c",
            "version": "zaffa 1",
            "data": {"n": 1},
            "subs": {"user:ami": {"recoverable": True, "epoch": "x", "offset": 7}},
        }
    }


def test_the_answer_to_a_connect_is_a_push_of_protobuf():
    push = pushed(LISTENERS_PROTOBUF.encode_reply(accepted()))

    assert (push.connect.client, push.connect.version) == ("c", "zaffa 1")
    assert push.connect.data == b'{"n":1}'
    assert push.connect.subs["user:ami"].offset == 7


@pytest.mark.parametrize("text", ["x", "س" * 40, "x" * 200, "x" * 20_000])
def test_publications_of_any_length_lose_exactly_their_reply(text):
    data = json.dumps({"text": text}).encode()
    encoded = (LISTENERS_JSON.encode_publication, LISTENERS_PROTOBUF.encode_publication)

    as_json, as_protobuf = (encode("a:b", data, offset=9) for encode in encoded)

    assert json.loads(as_json) == {"channel": "a:b", "pub": {"data": {"text": text}, "offset": 9}}
    push = pushed(as_protobuf)
    assert (push.channel, push.pub.data, push.pub.offset) == ("a:b", data, 9)


def test_a_farewell_is_a_bare_push():
    push = Push(Disconnect(3001, "shutdown"))

    assert json.loads(LISTENERS_JSON.encode_push(push)) == {
        "disconnect": {"code": 3001, "reason": "shutdown"}
    }
    assert pushed(LISTENERS_PROTOBUF.encode_push(push)).disconnect.code == 3001


def test_a_connect_request_stands_alone_on_both_formats():
    request = ConnectRequest(
        token="t", data=b'{"a": 1}', subs={"user:ami": SubscribeRequest(recover=True, offset=4)}
    )
    text = b'{"token":"t",\n"data":{"a": 1},"subs":{"user:ami":{"recover":true,"offset":4}}}'
    message = client_pb2.ConnectRequest(token="t", data=b'{"a": 1}')
    message.subs["user:ami"].recover = True
    message.subs["user:ami"].offset = 4

    heard = LISTENERS_JSON.decode_commands(text, limit=1)
    binary = LISTENERS_PROTOBUF.decode_commands(message.SerializeToString(), limit=1)

    assert heard == binary == [Command(1, request)]


@pytest.mark.parametrize(
    ("codec", "frame"),
    [
        (LISTENERS_JSON, b""),
        (LISTENERS_JSON, b"[]"),
        (LISTENERS_JSON, b'{"token":1}'),
        (LISTENERS_JSON, b'{"token":"a"}{"token":"b"}'),
        (LISTENERS_JSON, b'{"token":"a"},"id":2,"rpc":{}'),
        (LISTENERS_JSON, b'{"token":"\xff"}'),
        (LISTENERS_PROTOBUF, b"\xff"),
    ],
)
def test_what_is_no_connect_request_is_a_violation(codec, frame):
    with pytest.raises(ProtocolViolation) as caught:
        codec.decode_commands(frame, limit=1)

    assert caught.value.code is DisconnectCode.BAD_REQUEST


def connected(codec=LISTENERS_JSON) -> ServerProtocol:
    protocol = ServerProtocol(codec, rules=Rules(ping_every=25, pong_within=8), now=0)
    (command,) = protocol.receive(b"{}")
    answer = protocol.accept(command, ConnectResult("c", "v"), now=0, first_ping=1.0)
    assert json.loads(answer)["connect"] == {"client": "c", "version": "v", "ping": 25}
    return protocol


def test_listeners_are_pinged_and_never_asked_for_a_pong():
    protocol = connected()

    assert [protocol.tick(now) for now in (25, 50, 75)] == [b"{}"] * 3


def test_what_a_listener_says_later_is_not_heard():
    protocol = connected()

    assert protocol.receive(b'{"id":2,"rpc":{"method":"x"}}') == []
    assert protocol.receive(b"\xff") == []
    assert protocol.phase is Phase.CONNECTED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ErrorCode.TOKEN_EXPIRED, 3005),
        (ErrorCode.EXPIRED, 3005),
        (ErrorCode.TOO_MANY_REQUESTS, 3013),
        (ErrorCode.PERMISSION_DENIED, 3507),
        (ErrorCode.INTERNAL, 3004),
        (1200, 3004),
    ],
)
def test_an_error_becomes_the_disconnect_that_means_the_same(error, code):
    assert disconnect_for(error) == code


def test_a_publication_without_a_stream_is_bare_as_well():
    push = Push(Publication(data=b"1"), "now")

    assert LISTENERS_JSON.encode_push(push) == b'{"channel":"now","pub":{"data":1}}'


@given(st.sampled_from([LISTENERS_JSON, LISTENERS_PROTOBUF]), st.binary(max_size=200))
def test_no_bytes_do_more_than_violate_the_protocol(codec, frame):
    with suppress(ProtocolViolation):
        (command,) = codec.decode_commands(frame, limit=1)
        assert type(command.request) is ConnectRequest
