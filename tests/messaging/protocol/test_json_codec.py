"""The format of browsers and Python, byte for byte."""

import json

import pytest

from messaging.protocol.codes import DisconnectCode, ProtocolViolation
from messaging.protocol.events import Disconnect, Message, Unsubscribe
from messaging.protocol.frames import PONG, Command, Push, Reply
from messaging.protocol.json_codec import JSON
from messaging.protocol.requests import (
    ConnectRequest,
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
    PresenceStatsResult,
    RPCResult,
    SubscribeResult,
    UnsubscribeResult,
)
from messaging.protocol.values import ClientInfo, Publication

GOLDEN_COMMANDS = [
    (
        '{"connect":{"token":"eyJ","name":"js"},"id":1}\n'
        '{"subscribe":{"channel":"chat:42","flag":1},"id":2}',
        [
            Command(1, ConnectRequest(token="eyJ", name="js")),
            Command(2, SubscribeRequest("chat:42", flag=1)),
        ],
    ),
    (
        '{"rpc":{"method":"msg.send","data":{"conv":"42","cid":"b7","text":"مرحبا"}},"id":3}',
        [Command(3, RPCRequest("msg.send", '{"conv":"42","cid":"b7","text":"مرحبا"}'.encode()))],
    ),
    ("{}", [PONG]),
    ('{"unsubscribe":{"channel":"chat:42"},"id":4}', [Command(4, UnsubscribeRequest("chat:42"))]),
    (
        '{"subscribe":{"channel":"chat:42","flag":1,"recover":true,"offset":120,"epoch":"x7Qa"},'
        '"id":6}',
        [Command(6, SubscribeRequest("chat:42", flag=1, recover=True, offset=120, epoch="x7Qa"))],
    ),
]

GOLDEN_REPLIES = [
    (
        '{"id":1,"connect":{"client":"aa69","version":"hub 1.0","ping":25,"pong":true}}',
        Reply(1, ConnectResult("aa69", "hub 1.0", ping=25, pong=True)),
    ),
    (
        '{"id":2,"subscribe":{"recoverable":true,"epoch":"x7Qa","offset":118,"positioned":true}}',
        Reply(2, SubscribeResult(recoverable=True, epoch="x7Qa", offset=118, positioned=True)),
    ),
    (
        '{"id":3,"rpc":{"data":{"id":"01J","seq":120}}}',
        Reply(3, RPCResult(b'{"id":"01J","seq":120}')),
    ),
    ('{"id":4,"unsubscribe":{}}', Reply(4, UnsubscribeResult())),
    (
        '{"id":5,"history":{"publications":[{"data":{"t":"a"},"offset":1},'
        '{"data":2,"info":{"user":"u","client":"c"},"offset":2},{"data":3},'
        '{"data":4,"offset":4,"tags":{"a":"b"}},{"data":"x","offset":5,"delta":true},'
        '{"data":6,"offset":6,"time":7},{"offset":7}],"epoch":"x\\"7","offset":9}}',
        Reply(
            5,
            HistoryResult(
                (
                    Publication(b'{"t":"a"}', offset=1),
                    Publication(b"2", ClientInfo("u", "c"), 2),
                    Publication(b"3"),
                    Publication(b"4", offset=4, tags={"a": "b"}),
                    Publication(b'"x"', offset=5, delta=True),
                    Publication(b"6", offset=6, time=7),
                    Publication(offset=7),
                ),
                'x"7',
                9,
            ),
        ),
    ),
    (
        '{"id":6,"subscribe":{"recoverable":true,"epoch":"x7Qa",'
        '"publications":[{"data":{"t":"msg.new"},"offset":121}],"recovered":true,"offset":120,'
        '"positioned":true,"was_recovering":true}}',
        Reply(
            6,
            SubscribeResult(
                recoverable=True,
                epoch="x7Qa",
                publications=(Publication(b'{"t":"msg.new"}', offset=121),),
                recovered=True,
                offset=120,
                positioned=True,
                was_recovering=True,
            ),
        ),
    ),
]


@pytest.mark.parametrize(("frame", "commands"), GOLDEN_COMMANDS)
def test_commands_are_written_and_read_as_clients_do(frame, commands):
    assert JSON.decode_commands(frame.encode(), limit=2) == commands
    assert JSON.join(map(JSON.encode_command, commands)).decode() == frame


@pytest.mark.parametrize(("line", "reply"), GOLDEN_REPLIES)
def test_replies_are_written_as_clients_expect_them(line, reply):
    assert JSON.encode_reply(reply).decode() == line
    assert JSON.decode_answers(line.encode()) == [reply]


def test_a_publication_is_written_as_clients_expect_it():
    push = Push(Publication(b'{"t":"msg.new","id":"01J"}', offset=119), "chat:42")
    line = b'{"push":{"channel":"chat:42","pub":{"data":{"t":"msg.new","id":"01J"},"offset":119}}}'

    assert JSON.encode_push(push) == line
    assert JSON.encode_publication("chat:42", push.event.data, offset=119) == line
    assert JSON.decode_answers(line) == [push]


def test_some_fields_are_written_even_when_they_are_zero():
    assert JSON.encode_reply(Reply(1, PresenceResult({}))) == b'{"id":1,"presence":{"presence":{}}}'
    assert (
        JSON.encode_reply(Reply(1, PresenceResult({"c": ClientInfo("", "")})))
        == b'{"id":1,"presence":{"presence":{"c":{"user":"","client":""}}}}'
    )
    assert (
        JSON.encode_reply(Reply(1, PresenceStatsResult(0, 0)))
        == b'{"id":1,"presence_stats":{"num_clients":0,"num_users":0}}'
    )
    assert (
        JSON.encode_reply(Reply(1, HistoryResult((), "", 0)))
        == b'{"id":1,"history":{"publications":[],"epoch":"","offset":0}}'
    )
    assert JSON.encode_reply(Reply(1, Error(0, ""))) == b'{"id":1,"error":{"code":0,"message":""}}'
    assert (
        JSON.encode_push(Push(Unsubscribe(0, ""), "c"))
        == b'{"push":{"channel":"c","unsubscribe":{"code":0,"reason":""}}}'
    )
    assert (
        JSON.encode_push(Push(Disconnect(3000, "")))
        == b'{"push":{"disconnect":{"code":3000,"reason":""}}}'
    )


def test_a_payload_never_breaks_its_line():
    """Clients split a frame at line ends before they parse anything."""
    spread = b'{\r\n "text": "a\\nb"\n}'

    for line in (
        JSON.encode_publication("c", spread, offset=1),
        JSON.encode_push(Push(Message(spread))),
        JSON.encode_reply(Reply(1, RPCResult(spread))),
        JSON.encode_reply(Reply(1, HistoryResult((Publication(spread, offset=1),), "", 1))),
        JSON.encode_command(Command(1, RPCRequest("m", spread))),
    ):
        assert b"\n" not in line
        assert b"\r" not in line
        assert b'"a\\nb"' in line
        json.loads(line)


def test_every_payload_that_is_json_is_taken_as_it_is():
    for data in (b"null", b"0", b"false", b'""', b"[]", b'{ "a" : 1.50 }'):
        frame = b'{"rpc":{"method":"m","data":%b},"id":1}' % data
        assert JSON.decode_commands(frame, limit=1) == [Command(1, RPCRequest("m", data))]


def test_white_space_around_commands_is_no_command():
    frame = b'{"id":1,"rpc":{}}\r\n\n{"id":2,"rpc":{}} \n'

    assert [each.id for each in JSON.decode_commands(frame, limit=2)] == [1, 2]


def test_many_lines_are_refused_before_anything_is_made_of_them():
    with pytest.raises(ProtocolViolation, match="too many lines"):
        JSON.decode_commands(b"{}\n" * 21, limit=10)


def test_unknown_fields_are_ignored():
    frame = b'{"id":1,"new":[1],"rpc":{"method":"m","newer":{"a":null}}}'

    assert JSON.decode_commands(frame, limit=1) == [Command(1, RPCRequest("m"))]


def test_of_several_requests_the_first_of_the_schema_counts():
    frame = b'{"id":1,"rpc":{},"send":{},"unsubscribe":{"channel":"c"}}'

    assert JSON.decode_commands(frame, limit=1) == [Command(1, UnsubscribeRequest("c"))]


def test_a_request_that_is_null_is_absent():
    assert JSON.decode_commands(b'{"id":1,"connect":null}', limit=1) == [Command(1)]


def test_a_send_needs_no_data():
    assert JSON.decode_commands(b'{"send":{}}', limit=1) == [Command(0, SendRequest())]


@pytest.mark.parametrize(
    "frame",
    [
        b" \n ",
        b"1",
        b"null",
        b"[]",
        b'"{}"',
        b"{",
        b"{}{",
        b"{}{}",
        b"{} {}",
        b"{}\r{}",
        b'{"id":1,\n"rpc":{}}',
        b"\xef\xbb\xbf{}",
        b"\x00",
        b'{"id":"1"}',
        b'{"id":1.5}',
        b'{"id":-1}',
        b'{"id":4294967296}',
        b'{"id":1,"rpc":[]}',
        b'{"id":1,"rpc":{"method":1}}',
        b'{"id":1,"rpc":{"method":"\xff"}}',
        b'{"id":1,"rpc":{"data":"\xff"}}',
        b'{"id":1,"rpc":{"data":"\\ud800"}}',
        b'{"id":1,"rpc":{"data":}}',
        b'{"id":1,"rpc":{"data":nul}}',
        b'{"id":1,"subscribe":{"channel":"\\udc00"}}',
        b'{"id":1,"subscribe":{"channel":"a\x00"}}',
        b'{"id":1,"subscribe":{"offset":-1}}',
        b'{"id":1,"subscribe":{"offset":9223372036854775808}}',
        b'{"id":1,"subscribe":{"recover":1}}',
        b'{"id":1,"history":{"limit":2147483648}}',
        b'{"id":1,"rpc":{"data":' + b"[" * 60_000 + b"]" * 60_000 + b"}}",
        b'{"id":1,"subscribe":{"tf":' + b'{"nodes":[' * 6_000,
    ],
)
def test_what_is_not_a_command_is_a_violation(frame):
    with pytest.raises(ProtocolViolation) as caught:
        JSON.decode_commands(frame, limit=9)

    assert caught.value.code is DisconnectCode.BAD_REQUEST


@pytest.mark.parametrize(
    "frame", [b'{"id":1}', b'{"push":{}}', b'{"push":{"channel":"c"}}', b'{"id":1,"rpc":1}', b"\n"]
)
def test_what_is_not_an_answer_is_a_violation(frame):
    with pytest.raises(ProtocolViolation):
        JSON.decode_answers(frame)
