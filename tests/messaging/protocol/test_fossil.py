"""Differences between payloads, judged by ourselves and by the official Python client."""

import json
import random
import tracemalloc
from contextlib import suppress

import pytest
from centrifuge.fossil import apply_delta
from hypothesis import given
from hypothesis import strategies as st

from messaging.protocol.codes import DisconnectCode, ProtocolViolation
from messaging.protocol.fossil import apply, checksum, delta
from tests.messaging.protocol.values import json_texts

LIMIT = 65_536

few_letters = st.text("abم", max_size=200).map(str.encode)


@st.composite
def relatives(draw):
    """Two byte strings made of the same stuff."""
    stuff = draw(st.lists(st.binary(max_size=60), min_size=1, max_size=8))
    some = st.lists(st.sampled_from(stuff), max_size=12).map(b"".join)
    return draw(some), draw(some)


anything = st.tuples(st.binary(), st.binary()) | relatives() | st.tuples(few_letters, few_letters)


@given(pair=anything)
def test_a_delta_makes_exactly_what_came_after(pair):
    before, after = pair

    made = delta(before, after)

    assert apply(before, made, limit=len(after)) == after
    assert bytes(apply_delta(before, made)) == after


@given(before=few_letters | json_texts, after=few_letters | json_texts)
def test_a_delta_between_texts_is_text(before, after):
    delta(before, after).decode()


def test_one_seat_of_a_hall_is_said_in_a_few_bytes():
    seats = [{"seat": number, "guest": f"ضيف {number}", "free": True} for number in range(500)]
    before = json.dumps(seats, ensure_ascii=False).encode()
    seats[250]["free"] = False
    seats[251]["guest"] = "نور الهدى"
    after = json.dumps(seats, ensure_ascii=False).encode()

    assert len(delta(before, after)) < 120 < 15_000 < len(after)


def test_edits_far_apart_are_found_although_everything_looks_alike():
    """Whatever is between two edits moved, and each guest reads almost like every other."""
    guests = [{"seat": number, "guest": f"ضيف {number}", "free": True} for number in range(200)]
    before = json.dumps(guests, ensure_ascii=False).encode()
    guests[3]["guest"] = "نور"
    guests[50]["free"] = False
    del guests[100]
    guests[150]["free"] = False
    after = json.dumps(guests, ensure_ascii=False).encode()

    made = delta(before, after)

    assert apply(before, made, limit=len(after)) == after
    assert len(made) < 100


def test_what_moved_is_found_where_it_was():
    guests = [f'{{"guest":"ضيف رقم {number}"}}' for number in range(50)]
    before = "".join(guests).encode()
    after = "".join(guests[::-1]).encode()

    assert len(delta(before, after)) < len(after) / 2


def test_letters_that_share_a_byte_are_not_cut():
    """Arabic letters have one byte of two in common: a message may differ in half a letter."""
    before, after = "سلام عليكم ورحمة الله".encode(), "سلام عليكم وبركات الله".encode()

    made = delta(before, after)

    made.decode()
    assert apply(before, made, limit=LIMIT) == after


def test_strangers_cost_hardly_more_than_the_later_one():
    chance = random.Random(1)
    before, after = chance.randbytes(16_384), chance.randbytes(16_384)

    assert len(delta(before, after)) < len(after) + 32


@given(st.binary(max_size=64))
def test_the_checksum_is_the_sum_of_words(data):
    words = data + b"\0" * (-len(data) % 4)
    total = sum(int.from_bytes(words[at : at + 4], "big") for at in range(0, len(words), 4))

    assert checksum(data) == total % 2**32


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b"", "cut off"),
        (b"6", "cut off"),
        (b"6@0,0;", "begin with its size"),
        (b"6\n", "cut off"),
        (b"6\n6@0,", "cut off"),
        (b"6\n6@0;", "from nowhere"),
        (b"6\n6@0", "from nowhere"),
        (b"6\n6@1,0;", "copies what is not there"),
        (b"6\n6@zzzzzz,0;", "copies what is not there"),
        (b"6\n6:abc", "cut off"),
        (b"6\n3\n0;", "cut off"),
        (b"6\n7:abcdefg0;", "more than it says"),
        (b"6\nzzzzzz@0,0;", "more than it says"),
        (b"6\n6@0,1;", "does not make what it says"),
        (b"7\n6@0,%b;", "does not make what it says"),
        (b"6\n6@0,%b; ", "does not make what it says"),
        (b"zzzzzz\n0;", "more than is allowed"),
        (b"1111111\n0;", "cut off"),
        (b"\xff\n0;", "cut off"),
    ],
)
def test_a_damaged_delta_is_a_violation(damaged, reason):
    before = b"before"
    sum_of_it = delta(before, before).removeprefix(b"6\n6:before").removesuffix(b";")

    with pytest.raises(ProtocolViolation, match=reason) as caught:
        apply(before, damaged.replace(b"%b", sum_of_it), limit=LIMIT)

    assert caught.value.code is DisconnectCode.BAD_REQUEST


@given(before=st.binary(), made=st.binary() | st.text("09@:,;\nAz~").map(str.encode))
def test_no_bytes_do_more_than_violate_the_protocol(before, made):
    with suppress(ProtocolViolation):
        apply(before, made, limit=LIMIT)


@given(pair=relatives(), data=st.data())
def test_no_damage_goes_unnoticed_and_makes_too_much(pair, data):
    before, after = pair
    made = bytearray(delta(before, after))
    made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))

    with suppress(ProtocolViolation):
        assert len(apply(before, bytes(made), limit=len(after))) <= len(after)


def test_a_declared_size_takes_no_memory():
    before = b"x" * 1000
    bomb = b"~~~~~\n" + b"Fc@0," * 10_000 + b"0;"
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolViolation, match="more than is allowed"):
            apply(before, bomb, limit=LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < LIMIT
