"""Every target on what was recorded, on what becomes of it, and on anything at all."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.protocol.frames import Command
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import HistoryRequest, RPCRequest
from tests.fuzz.conversation import frame
from tests.fuzz.corpus import seeds
from tests.fuzz.targets import TARGETS, joined

every = pytest.mark.parametrize("target", TARGETS)
recorded = [name for name in TARGETS if seeds(name)]


def test_what_the_official_clients_send_is_recorded():
    assert {"json_commands", "protobuf_commands", "session", "websocket"} <= set(recorded)
    assert len(seeds("connection")) >= 8


@pytest.mark.parametrize("target", recorded)
def test_what_was_recorded_passes(target):
    for seed in seeds(target):
        TARGETS[target](seed)


@st.composite
def damaged(draw: Any, target: str) -> bytes:
    """A recorded input, with pieces of it changed, moved, repeated, left out, or of another."""
    data = draw(st.sampled_from(seeds(target)))
    for _ in range(draw(st.integers(1, 4))):
        one, two = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        piece = draw(
            st.binary(max_size=8)
            | st.just(data[one:two] * 2)
            | st.sampled_from([b"", b"\xff" * 9, b"\x7f", b"{", b"[" * 70, b"\n", b'"', b"null"])
            | st.sampled_from(seeds(target))
        )
        data = data[:one] + piece + data[two:]
    return data


@pytest.mark.parametrize("target", recorded)
@given(data=st.data())
def test_what_becomes_of_it_passes(target, data):
    TARGETS[target](data.draw(damaged(target)))


@every
@given(data=st.binary(max_size=400))
def test_anything_passes(target, data):
    TARGETS[target](data)


# --- Protobuf as no library writes it ---------------------------------------------------------


def varint(number: int) -> bytes:
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


@st.composite
def wire_data(draw: Any, depth: int = 3) -> bytes:
    """Fields with any number, in any wire type, whatever the schema says of them."""
    encoded = b""
    for _ in range(draw(st.integers(0, 4))):
        number, kind = draw(st.integers(1, 20)), draw(st.sampled_from([0, 1, 2, 2, 2, 3, 4, 5]))
        encoded += varint(number << 3 | kind)
        match kind:
            case 0:
                encoded += varint(draw(st.integers(0, 2**64 - 1)))
            case 1:
                encoded += draw(st.binary(min_size=8, max_size=8))
            case 2:
                inner = st.binary(max_size=9) | st.text(max_size=5).map(str.encode)
                content = draw(inner | wire_data(depth - 1) if depth else inner)
                lie = draw(st.sampled_from([0, 0, 0, 0, 1, 2**31, 2**63]))
                encoded += varint(len(content) + lie) + content
            case 5:
                encoded += draw(st.binary(min_size=4, max_size=4))
    return encoded


@given(st.lists(wire_data(), min_size=1, max_size=3))
def test_protobuf_that_no_library_writes_is_read_as_the_official_schema_reads_it(messages):
    TARGETS["protobuf_commands"](b"".join(varint(len(each)) + each for each in messages))


@pytest.mark.parametrize(
    ("message", "command"),
    [
        # The same field twice: the last one counts, and messages are merged.
        (b"\x08\x01\x08\x07\x6a\x00", Command(7, RPCRequest())),
        (b"\x08\x01\x6a\x03\x12\x01a\x6a\x03\x12\x01b", Command(1, RPCRequest("b"))),
        (b"\x08\x01\x6a\x03\x12\x01a\x6a\x03\x0a\x011", Command(1, RPCRequest("a", b"1"))),
        # A negative number takes ten bytes; of one that is wider than its field the rest is cut.
        (b"\x08\x01\x52\x0b\x38" + b"\xff" * 9 + b"\x01", Command(1, HistoryRequest(limit=-1))),
        (b"\x08\x01\x52\x06\x38\xff\xff\xff\xff\x1f", Command(1, HistoryRequest(limit=-1))),
        # A known field in another wire type is unknown, and so is a group.
        (b"\x08\x01\x6a\x05\x15abcd", Command(1, RPCRequest())),
        (b"\x08\x01\xa3\x01\x08\x01\xa4\x01\x6a\x00", Command(1, RPCRequest())),
        # Numbers may be longer than they need to be.
        (b"\x08\x81\x80\x80\x00\x6a\x80\x00", Command(1, RPCRequest())),
    ],
)
def test_the_oddities_of_the_wire_are_read_as_the_library_reads_them(message, command):
    encoded = varint(len(message)) + message

    assert PROTOBUF.decode_commands(encoded, limit=1) == [command]
    TARGETS["protobuf_commands"](encoded)


# --- WebSocket frames -----------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.binary(max_size=200), st.integers(0, 15), st.booleans()), max_size=5),
    st.lists(st.integers(0, 300), max_size=8),
)
def test_frames_of_any_kind_cut_anywhere_pass(frames, cuts):
    stream = b"".join(frame(each, opcode, last=last) for each, opcode, last in frames)
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    parts = [stream[one:two] for one, two in pairwise(places)]

    TARGETS["websocket"](joined(*parts))
