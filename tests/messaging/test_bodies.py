"""What a message's body may be."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from messaging.conversations.bodies import DEPTH, PREVIEW, MessageLimits, preview_of, text_of
from messaging.errors import MessageTooLarge

LIMITS = MessageLimits()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"text":"salam"}', "salam"),
        ('{"text":"السلام عليكم 👩\u200d👩\u200d👧"}'.encode(), "السلام عليكم 👩\u200d👩\u200d👧"),
        (b'{ "text" : "a\\u00e9\\n\\ud83c\\udf89" }', "aé\n🎉"),
        (b'{"sticker":{"id":7}}', ""),
        (b"{}", ""),
        (b'{"text":""}', ""),
    ],
)
def test_a_json_object_is_a_body_and_its_text_is_found(body, text):
    assert text_of(body, LIMITS) == text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"null", "body"),
        (b'"text"', "body"),
        (b"[1]", "body"),
        (b'{"text":"a"', "body"),
        (b'{"text":"a"} {}', "body"),
        (b'{"n":NaN}', "body"),
        (b'{"n":1e999}', "body"),
        (b'{"n":' + b"9" * 5000 + b"}", "body"),
        (b'{"text":"\xff"}', "body"),
        (b'{"text":"a\nb"}', "body"),
        (b'{"text":"\\ud800"}', "body"),
        (b'{"other":["\\udfff"]}', "body"),
        (b'{"text":7}', "body.text"),
        (b'{"text":null}', "body.text"),
        (b'{"text":"a\\u0000b"}', "body.text"),
    ],
)
def test_what_is_no_body_is_refused_with_the_field(body, field):
    with pytest.raises(InvalidInput) as caught:
        text_of(body, LIMITS)

    assert caught.value.details["field"] == field


def test_a_body_has_a_size_in_bytes_and_a_text_in_characters():
    limits = MessageLimits(body_bytes=24, text_characters=3)

    assert text_of('{"text":"مرح"}'.encode(), limits) == "مرح"
    with pytest.raises(MessageTooLarge):
        text_of(b'{"text":"abcd"}', limits)
    with pytest.raises(MessageTooLarge):
        text_of(b'{"text":"abc","more":"x"}', limits)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_body_nests_so_deep_and_no_deeper(opening, closing):
    inner = DEPTH - 1

    assert text_of(nested(opening, closing, inner), LIMITS) == ""
    with pytest.raises(InvalidInput, match="nest"):
        text_of(nested(opening, closing, inner + 1), LIMITS)


def nested(opening: str, closing: str, levels: int) -> bytes:
    return f'{{"a":{opening * levels}0{closing * levels}}}'.encode()


def test_brackets_beside_each_other_or_in_a_text_do_not_nest():
    wide = {"text": "[" * 500 + '"\\{', "list": [[] for _ in range(500)]}

    assert text_of(json.dumps(wide).encode(), LIMITS) == wide["text"]


def test_the_deepest_nesting_that_fits_is_refused_and_not_parsed():
    with pytest.raises(InvalidInput, match="nest"):
        text_of(b'{"a":' + b"[" * 16_000, LIMITS)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_do_more_than_be_refused(body):
    with suppress(InvalidInput, MessageTooLarge):
        assert isinstance(text_of(body, LIMITS), str)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "[", '"']), ANY_JSON),
    st.text('ab[]{}\\"é', max_size=9),
)
def test_every_shallow_object_with_a_text_is_a_body(rest, text):
    body = json.dumps({**rest, "text": text}).encode()

    assert text_of(body, MessageLimits(body_bytes=10**6)) == text


def test_a_preview_is_the_beginning_on_one_line():
    assert preview_of("  Salam\n\nà\ttous ") == "Salam à tous"
    assert preview_of("") == ""
    assert preview_of("a" * PREVIEW) == "a" * PREVIEW
    assert preview_of("a" * 8000) == "a" * (PREVIEW - 1) + "…"


def test_limits_leave_room_for_a_message():
    with pytest.raises(ValueError, match="body_bytes"):
        MessageLimits(body_bytes=1)
    with pytest.raises(ValueError, match="text_characters"):
        MessageLimits(text_characters=0)
