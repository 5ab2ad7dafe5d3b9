"""What holds for both wire formats."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.protocol.codec import PAYLOAD_DEPTH, is_payload
from messaging.protocol.codes import DisconnectCode, ProtocolViolation
from messaging.protocol.events import Join
from messaging.protocol.frames import PING, PONG, Command, Push, Reply
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import RPCRequest, SendRequest, SubscribeRequest
from messaging.protocol.results import RPCResult
from messaging.protocol.shapes import EVENTS, REQUESTS, RESULTS
from messaging.protocol.values import ClientInfo, Publication
from tests.messaging.protocol.values import commands, json_texts, json_values, pushes, replies

both = pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=lambda codec: codec.name)


@both
@pytest.mark.parametrize("kind", [*REQUESTS.values(), *RESULTS.values(), *EVENTS.values()])
def test_every_kind_of_value_travels_with_all_its_fields_at_zero(codec, kind):
    value = kind(*_zeros(kind))
    if kind in REQUESTS.values():
        sent = Command(7, value)
        assert codec.decode_commands(codec.encode_command(sent), limit=1) == [sent]
    elif kind in RESULTS.values():
        sent = Reply(7, value)
        assert codec.decode_answers(codec.encode_reply(sent)) == [sent]
    else:
        sent = Push(value)
        assert codec.decode_answers(codec.encode_push(sent)) == [sent]


def _zeros(kind):
    zeros = {"presence": {}, "publications": (), "info": ClientInfo("", "")}
    texts = {"user", "client", "version", "epoch", "reason", "message"}
    needed = kind.__struct_fields__[: len(kind.__struct_fields__) - len(kind.__struct_defaults__)]
    return [zeros.get(name, "" if name in texts else 0) for name in needed]


@both
@given(command=commands)
def test_every_command_survives_the_wire(codec, command):
    assert codec.decode_commands(codec.encode_command(command), limit=1) == [command]


@both
@given(reply=replies)
def test_every_reply_survives_the_wire(codec, reply):
    assert codec.decode_answers(codec.encode_reply(reply)) == [reply]


@both
@given(push=pushes)
def test_every_push_survives_the_wire(codec, push):
    assert codec.decode_answers(codec.encode_push(push)) == [push]


@both
@given(
    channel=st.text(),
    data=st.just(b"") | json_texts,
    offset=st.integers(0, 2**63 - 1),
    info=st.none() | st.builds(ClientInfo, user=st.text(), client=st.text()),
)
def test_the_short_way_to_a_publication_leads_to_the_same_place(codec, channel, data, offset, info):
    short = codec.encode_publication(channel, data, offset=offset, info=info)

    assert short == codec.encode_push(Push(Publication(data, info, offset), channel))


@both
@given(text=st.text())
def test_what_is_quoted_is_found_again_and_stays_on_its_line(codec, text):
    quoted = codec.quoted(text.encode())

    assert codec.unquoted(quoted) == text.encode()
    assert codec.binary or (is_payload(quoted) and b"\n" not in quoted)


@both
@given(sent=st.lists(commands, min_size=1, max_size=4))
def test_a_frame_keeps_its_commands_in_order(codec, sent):
    frame = codec.join(map(codec.encode_command, sent))

    assert codec.decode_commands(frame, limit=4) == sent


@both
@given(said=st.lists(replies | pushes | st.just(PING), min_size=1, max_size=4))
def test_a_frame_keeps_its_answers_in_order(codec, said):
    frame = codec.join(map(_encoded(codec), said))

    assert codec.decode_answers(frame) == said


def _encoded(codec):
    def encode(answer):
        if isinstance(answer, Reply):
            return codec.encode_reply(answer)
        return codec.encode_push(answer) if isinstance(answer, Push) else codec.ping

    return encode


@both
def test_a_ping_and_a_pong_are_the_shortest_messages_there_are(codec):
    assert codec.ping == codec.pong == codec.encode_command(PONG)
    assert codec.decode_answers(codec.ping) == [PING]
    assert codec.decode_commands(codec.pong, limit=1) == [PONG]
    assert codec.decode_commands(codec.join([codec.pong, codec.pong]), limit=2) == [PONG, PONG]


@both
def test_a_send_travels_without_an_id(codec):
    sent = Command(0, SendRequest(b'{"a":1}'))

    assert codec.decode_commands(codec.encode_command(sent), limit=1) == [sent]


@both
def test_more_commands_than_allowed_are_refused(codec):
    frame = codec.join([codec.encode_command(Command(1, RPCRequest("m")))] * 3)

    assert len(codec.decode_commands(frame, limit=3)) == 3
    with pytest.raises(ProtocolViolation, match="too many commands"):
        codec.decode_commands(frame, limit=2)


@both
@given(frame=st.binary())
def test_no_bytes_do_more_than_violate_the_protocol(codec, frame):
    for decode in (codec.decode_answers, lambda frame: codec.decode_commands(frame, limit=9)):
        with suppress(ProtocolViolation):
            decode(frame)


@both
@given(command=commands, data=st.data())
def test_no_damage_does_more_than_violate_the_protocol(codec, command, data):
    frame = bytearray(codec.encode_command(command))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] = data.draw(st.integers(0, 255))

    for damaged in (bytes(frame), bytes(frame[:at])):
        with suppress(ProtocolViolation):
            codec.decode_commands(damaged, limit=9)


@given(st.text() | json_values.map(json.dumps))
def test_no_text_does_more_than_violate_the_protocol(text):
    for decode in (JSON.decode_answers, lambda frame: JSON.decode_commands(frame, limit=9)):
        with suppress(ProtocolViolation):
            decode(text.encode())


_names = st.sampled_from([*REQUESTS, *RESULTS, *EVENTS, "id", "push"])


@given(
    st.dictionaries(
        _names, json_values | st.dictionaries(st.sampled_from(["data", "tf", "subs"]), json_values)
    )
)
def test_no_json_does_more_than_violate_the_protocol(line):
    frame = json.dumps(line).encode()

    for decode in (JSON.decode_answers, lambda frame: JSON.decode_commands(frame, limit=9)):
        with suppress(ProtocolViolation):
            decode(frame)


@both
def test_an_empty_frame_is_a_violation(codec):
    for decode in (codec.decode_answers, lambda frame: codec.decode_commands(frame, limit=1)):
        with pytest.raises(ProtocolViolation) as caught:
            decode(b"")
        assert caught.value.code is DisconnectCode.BAD_REQUEST


@both
def test_a_number_beyond_what_a_database_keeps_is_a_violation(codec):
    beyond = Command(1, SubscribeRequest("c", offset=2**63))

    with pytest.raises(ProtocolViolation):
        codec.decode_commands(codec.encode_command(beyond), limit=1)


@both
def test_an_empty_result_is_still_a_result(codec):
    """Clients read `reply.rpc.data`, not `reply.rpc && reply.rpc.data`."""
    assert codec.decode_answers(codec.encode_reply(Reply(1, RPCResult()))) == [
        Reply(1, RPCResult())
    ]
    nobody = Push(Join(ClientInfo("", "")), "c")
    assert codec.decode_answers(codec.encode_push(nobody)) == [nobody]


@pytest.mark.parametrize(
    "data",
    [b"1", b"null", b'"a"', b"[]", b' {"a": [1, 2]}\n', '{"text":"مرحبا"}'.encode(), b'"\\u0000"'],
)
def test_a_payload_is_any_json_value(data):
    assert is_payload(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{}{}",
        b"\xff",
        b'"\xff"',
        b'"\x00"',
        b'"\\ud800"',
        b"NaN",
        b"\x08\x01",
        b"[" * 100_000,
        b"[" * (PAYLOAD_DEPTH + 1) + b"]" * (PAYLOAD_DEPTH + 1),
    ],
)
def test_a_payload_is_nothing_but_json(data):
    assert not is_payload(data)


def test_brackets_in_texts_and_side_by_side_are_not_depth():
    assert is_payload(b'"' + b'[\\"' * 100 + b'"')
    assert is_payload(b"[" + b"[]," * 100 + b"{}]")
    assert is_payload(b"[" * PAYLOAD_DEPTH + b"]" * PAYLOAD_DEPTH)


@given(
    st.lists(st.sampled_from([(b"[", b"]"), (b'{"":', b"}"), (b'{"a[":', b"}")]), min_size=60),
    st.sampled_from([b"{}", b"[]", b"1"]),
)
def test_the_shortest_payload_that_is_too_deep_is_none(levels, innermost):
    opened = b"".join(begin for begin, _ in levels)
    data = opened + innermost + b"".join(end for _, end in reversed(levels))

    assert is_payload(data) is (len(levels) + (innermost != b"1") <= PAYLOAD_DEPTH)


@given(json_texts)
def test_what_is_no_payload_to_us_is_none_to_json(text):
    assert is_payload(text)
