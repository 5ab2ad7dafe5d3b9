"""The format of mobile applications, against the library and the official schema."""

from io import BytesIO
from pathlib import Path

import pytest
from centrifuge.protocol import client_pb2 as official
from google.protobuf import proto
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc
from hypothesis import given

from messaging.protocol import client_pb2
from messaging.protocol.codes import DisconnectCode, ProtocolViolation
from messaging.protocol.frames import Command, Push, Reply
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import (
    ConnectRequest,
    HistoryRequest,
    RPCRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from messaging.protocol.results import Error
from messaging.protocol.shapes import EVENTS, REQUESTS, RESULTS
from messaging.protocol.values import Publication, StreamPosition
from tests.messaging.protocol.values import commands, pushes, replies

# Newer than the official Python client's schema; clients that set it are declined.
NEWER = {("SubscribeRequest", "type")}


def test_the_generated_module_is_made_from_the_schema_beside_it(tmp_path):
    made = tmp_path / "made"
    root = Path(client_pb2.__file__).parents[2]

    failed = protoc.main(
        ["protoc", f"-I{root}", f"--descriptor_set_out={made}", client_pb2.DESCRIPTOR.name]
    )

    assert not failed
    (schema,) = FileDescriptorSet.FromString(made.read_bytes()).file
    kept = FileDescriptorProto()
    client_pb2.DESCRIPTOR.CopyToProto(kept)
    assert without_json_names(schema) == without_json_names(kept)


def without_json_names(schema):
    """The compiler adds to a descriptor set what it leaves out of the Python module."""
    for message in schema.message_type:
        for nested in (message, *message.nested_type):
            for field in nested.field:
                field.ClearField("json_name")
    return schema


def official_fields(name):
    return {field.name: field for field in getattr(official, name).DESCRIPTOR.fields}


@pytest.mark.parametrize("name", sorted(client_pb2.DESCRIPTOR.message_types_by_name))
def test_fields_have_the_numbers_and_types_that_clients_know(name):
    theirs = official_fields(name)

    for field in client_pb2.DESCRIPTOR.message_types_by_name[name].fields:
        if (name, field.name) not in NEWER:
            other = theirs[field.name]
            assert (field.number, field.type) == (other.number, other.type)
            assert field.is_repeated == other.is_repeated


@pytest.mark.parametrize(
    ("wrapper", "kinds"), [("Command", REQUESTS), ("Reply", RESULTS), ("Push", EVENTS)]
)
def test_everything_that_clients_know_has_its_kind_of_value(wrapper, kinds):
    nested = {
        field.name: field.message_type.name
        for field in official_fields(wrapper).values()
        if field.type == FieldDescriptor.TYPE_MESSAGE and field.name != "push"
    }

    assert nested == {name: kind.__name__ for name, kind in kinds.items()}


def delimited(message):
    """The message as the library puts it on the wire."""
    stream = BytesIO()
    proto.serialize_length_prefixed(message, stream)
    return stream.getvalue()


@given(command=commands)
def test_a_command_survives_a_reader_with_the_official_schema(command):
    theirs = proto.parse_length_prefixed(
        official.Command, BytesIO(PROTOBUF.encode_command(command))
    )

    assert theirs.id == command.id
    assert PROTOBUF.decode_commands(delimited(theirs), limit=1) == [command]


@given(answer=replies | pushes)
def test_an_answer_survives_a_reader_with_the_official_schema(answer):
    is_reply = isinstance(answer, Reply)
    encoded = PROTOBUF.encode_reply(answer) if is_reply else PROTOBUF.encode_push(answer)

    theirs = proto.parse_length_prefixed(official.Reply, BytesIO(encoded))

    assert theirs.HasField("push") is not is_reply
    assert PROTOBUF.decode_answers(delimited(theirs)) == [answer]


def test_commands_of_the_official_client_are_read():
    frame = delimited(
        official.Command(id=1, connect=official.ConnectRequest(token="t", name="python"))
    ) + delimited(
        official.Command(
            id=2,
            history=official.HistoryRequest(
                channel="c", limit=-1, since=official.StreamPosition(offset=3, epoch="e")
            ),
        )
    )

    assert PROTOBUF.decode_commands(frame, limit=2) == [
        Command(1, ConnectRequest(token="t", name="python")),
        Command(2, HistoryRequest("c", -1, StreamPosition(3, "e"))),
    ]


@pytest.mark.parametrize("size", [1, 90, 127, 128, 16_383, 16_384, 70_000])
@pytest.mark.parametrize("offset", [1, 127, 128, 2**32, 2**63 - 1])
def test_a_publication_of_any_length_is_written_as_the_library_writes_it(size, offset):
    data = b'"' + b"x" * size + b'"'
    by_library = client_pb2.Reply(
        push=client_pb2.Push(
            channel="chat:42", pub=client_pb2.Publication(data=data, offset=offset)
        )
    ).SerializeToString()

    encoded = PROTOBUF.encode_publication("chat:42", data, offset=offset)

    assert encoded.endswith(by_library)
    assert PROTOBUF.decode_answers(encoded) == [Push(Publication(data, offset=offset), "chat:42")]


def test_an_error_and_an_unsubscribe_are_written_byte_for_byte():
    assert PROTOBUF.encode_reply(Reply(3, Error(107, "no"))) == bytes.fromhex(
        "0a 08 03 12 06 08 6b 12 02 6e 6f"
    )
    assert PROTOBUF.encode_command(Command(4, UnsubscribeRequest("c"))) == bytes.fromhex(
        "07 08 04 32 03 0a 01 63"
    )


def test_of_several_requests_the_first_of_the_schema_counts():
    message = client_pb2.Command(id=1)
    message.rpc.method = "m"
    message.unsubscribe.channel = "c"

    assert PROTOBUF.decode_commands(delimited(message), limit=1) == [
        Command(1, UnsubscribeRequest("c"))
    ]


def test_unknown_fields_are_ignored():
    message = official.Command(id=1, rpc=official.RPCRequest(method="m")).SerializeToString()
    message += b"\xa2\x06\x01x"

    assert PROTOBUF.decode_commands(bytes([len(message)]) + message, limit=1) == [
        Command(1, RPCRequest("m"))
    ]


def _varint(number: int) -> bytes:
    more, last = number >> 7, number & 0x7F
    return bytes((last | 0x80,)) + _varint(more) if more else bytes((last,))


def _filter_nested(depth: int) -> bytes:
    """A subscribe whose tag filter holds a filter that holds a filter, and so on."""
    command = b""
    for tag in (*[b"\x32"] * depth, b"\x6a", b"\x2a"):
        command = tag + _varint(len(command)) + command
    return _varint(len(command)) + command


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"\x80", "not understood"),
        (b"\x80\x80\x80\x80\x80\x01", "not understood"),
        (b"\xff\xff\xff\xff\x7f", "cut off"),
        (b"\x05\x08\x01", "cut off"),
        (b"\x01\x08", "not understood"),
        (b"\x03\x32\x01\xff", "not understood"),
        # A channel that is not UTF-8.
        (b"\x07\x08\x04\x32\x03\x0a\x01\xff", "not understood"),
        (_filter_nested(10_000), "not understood"),
    ],
)
def test_a_length_or_message_that_is_wrong_is_a_violation(frame, reason):
    with pytest.raises(ProtocolViolation, match=reason) as caught:
        PROTOBUF.decode_commands(frame, limit=9)

    assert caught.value.code is DisconnectCode.BAD_REQUEST


def field(number, content):
    size = len(content)
    return bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7]) + content


def test_filters_nested_without_end_are_a_violation():
    nested = b""
    for _ in range(150):
        nested = field(6, nested)
    command = b"\x08\x01" + field(5, field(13, nested))
    frame = bytes([len(command) & 0x7F | 0x80, len(command) >> 7]) + command

    with pytest.raises(ProtocolViolation, match="not understood"):
        PROTOBUF.decode_commands(frame, limit=1)


@pytest.mark.parametrize(
    "message",
    [client_pb2.Reply(id=1), client_pb2.Reply(push=client_pb2.Push(channel="c"))],
)
def test_an_answer_that_says_nothing_is_a_violation(message):
    with pytest.raises(ProtocolViolation):
        PROTOBUF.decode_answers(delimited(message))


@given(command=commands)
def test_both_formats_say_the_same(command):
    through_json = JSON.decode_commands(JSON.encode_command(command), limit=1)
    through_protobuf = PROTOBUF.decode_commands(PROTOBUF.encode_command(command), limit=1)

    assert through_json == through_protobuf == [command]


def test_a_subscribe_of_a_newer_client_keeps_its_type():
    asked = Command(1, SubscribeRequest("c", type=1))

    assert PROTOBUF.decode_commands(PROTOBUF.encode_command(asked), limit=1) == [asked]
