"""What a client may send between the bytes, and what it may not."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.connections.framing import (
    CloseCode,
    FrameReader,
    FrameViolation,
    Opcode,
    close_code_of,
    close_frame,
)
from tests.support.rawsocket import masked

LIMIT = 1000


def read(*chunks: bytes) -> list[tuple[int, bytes]]:
    reader = FrameReader()
    return [message for chunk in chunks for message in reader.feed(chunk, limit=LIMIT)]


def violation(*chunks: bytes) -> CloseCode:
    with pytest.raises(FrameViolation) as caught:
        read(*chunks)
    return caught.value.code


@given(
    st.lists(st.tuples(st.sampled_from([2, 9, 10]), st.binary(max_size=120)), max_size=8),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_messages_arrive_whole_however_the_bytes_are_cut(messages, cuts):
    data = b"".join(masked(payload, opcode=opcode) for opcode, payload in messages)
    chunks: list[bytes] = []
    while data:
        size = cuts[len(chunks) % len(cuts)]
        chunks.append(data[:size])
        data = data[size:]

    assert read(*chunks) == messages


@given(
    st.sampled_from([1, 2, 8, 9]),
    st.text(max_size=200).map(str.encode) | st.binary(max_size=200) | st.binary(min_size=990),
    st.booleans(),
    st.binary(max_size=3),
)
def test_a_message_that_came_alone_is_read_as_any_other(opcode, payload, fin, more):
    data = masked(payload, opcode=opcode, fin=fin) + more
    alone = _outcome(lambda reader: reader.message_in(data, limit=LIMIT))
    fed = _outcome(lambda reader: list(reader.feed(data, limit=LIMIT)))

    assert alone is None or alone == fed or [(opcode, alone)] == fed


def _outcome(take: Callable[[FrameReader], object]) -> object:
    """What a fresh reader made of it."""
    try:
        return take(FrameReader())
    except FrameViolation as violation:
        return violation.code


def test_a_message_that_came_alone_goes_the_short_way():
    assert FrameReader().message_in(masked("مبروك".encode()), limit=LIMIT) == "مبروك".encode()
    assert FrameReader().message_in(masked(b"x" * LIMIT), limit=LIMIT) == b"x" * LIMIT


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_no_bytes_do_more_than_break_the_framing(chunks: Sequence[bytes]):
    reader = FrameReader()
    try:
        for chunk in chunks:
            for opcode, payload in reader.feed(chunk, limit=LIMIT):
                assert opcode in set(Opcode)
                assert len(payload) <= LIMIT
    except FrameViolation as violation:
        broken: FrameViolation | None = violation
    else:
        broken = None
    assert broken is None or broken.code in set(CloseCode)


def test_a_long_message_has_a_long_header():
    assert read(masked(b"a" * 126), masked(b"b" * 1000)) == [(1, b"a" * 126), (1, b"b" * 1000)]


def test_fragments_are_joined_and_control_frames_may_come_between_them():
    chunks = [
        masked(b"one ", fin=False),
        masked(b"ping", opcode=9),
        masked(b"two ", opcode=0, fin=False),
        masked(b"three", opcode=0),
    ]

    assert read(*chunks) == [(9, b"ping"), (1, b"one two three")]


def test_a_character_may_be_cut_in_two_by_fragments_but_not_by_messages():
    salam = "سلام".encode()

    assert read(masked(salam[:3], fin=False), masked(salam[3:], opcode=0)) == [(1, salam)]
    assert violation(masked(salam[:3])) is CloseCode.INVALID_DATA


def test_binary_is_not_checked_for_text():
    assert read(masked(b"\xff\xfe", opcode=2)) == [(2, b"\xff\xfe")]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(masked(b"x", rsv=4), id="compressed though nothing was agreed"),
        pytest.param(masked(b"x", opcode=3), id="unknown opcode"),
        pytest.param(masked(b"x", opcode=11), id="unknown control opcode"),
        pytest.param(masked(b"x", mask=False), id="not masked"),
        pytest.param(masked(b"x", opcode=9, fin=False), id="fragmented control frame"),
        pytest.param(masked(b"x" * 126, opcode=9), id="long control frame"),
        pytest.param(masked(b"x", opcode=0), id="continuation of nothing"),
        pytest.param(masked(b"x", fin=False) + masked(b"y"), id="message within a message"),
    ],
)
def test_what_the_framing_forbids_is_a_protocol_error(frame):
    assert violation(frame) is CloseCode.PROTOCOL_ERROR


def test_what_came_before_a_violation_is_given():
    reader = FrameReader()
    feeding = reader.feed(masked(b"good") + masked(b"bad", rsv=1), limit=LIMIT)

    assert next(feeding) == (1, b"good")
    with pytest.raises(FrameViolation):
        next(feeding)


@pytest.mark.parametrize(
    "frames",
    [
        [masked(b"", length=LIMIT + 1)],
        [masked(b"", length=2**63 - 1)],
        [masked(b"x" * LIMIT, fin=False), masked(b"y", opcode=0)],
        [masked(b"x" * 900, fin=False), masked(b"", opcode=0, length=200)],
    ],
)
def test_too_much_is_refused_before_it_is_awaited(frames):
    assert violation(*frames) is CloseCode.TOO_BIG


def test_empty_fragments_do_not_add_up():
    reader = FrameReader()
    list(reader.feed(masked(b"", fin=False), limit=LIMIT))
    for _ in range(1000):
        assert list(reader.feed(masked(b"", opcode=0, fin=False), limit=LIMIT)) == []

    assert list(reader.feed(masked(b"end", opcode=0), limit=LIMIT)) == [(1, b"end")]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_a_client_may_close_with_these_codes(code):
    assert close_code_of(close_frame(code, "وداعا")[2:]) == code


@pytest.mark.parametrize("payload", [b"\x03", b"\x03\xed", b"\x00\x00", b"\x13\x88", b"\x07\xd0"])
def test_a_client_may_not_close_with_these(payload):
    with pytest.raises(FrameViolation):
        close_code_of(payload)


def test_an_empty_close_frame_is_answered_by_an_empty_one():
    code = close_code_of(b"")

    assert code == CloseCode.NO_STATUS
    assert close_frame(code) == b"\x88\x00"
