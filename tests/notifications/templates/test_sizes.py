"""Sizes: bytes are counted, and what is shown as one character is never cut."""

import unicodedata
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from icu4py.breakers import CharacterBreaker

from notifications.adapters.apns_message import request_of
from notifications.errors import PushTooLarge, TemplateInvalid
from notifications.templates.rendering import Beside, Rendering
from notifications.templates.sizes import (
    BODY_BYTES,
    ENVELOPE_BYTES,
    PAYLOAD_BYTES,
    TITLE_BYTES,
    fitted,
    shortened,
)
from notifications.templates.types import Template
from notifications.types import Action, AddressKind, Content, Text
from tests.support.sandbox import attempt

FSI, PDI = "\u2068", "\u2069"


@pytest.mark.parametrize(
    "whole",
    [
        "👩‍👩‍👧‍👦",
        "🇩🇿",
        "é",
        "👍🏽",
        "لُ",
        "🏴\U000e0067\U000e0062\U000e007f",
        "\r\n",
        "한",
        "❤️",
        "क्षि",
        "กำ",
    ],
)
def test_what_is_shown_as_one_character_is_never_cut_in_two(whole):
    text = whole * 20

    for limit in range(len(text.encode())):
        kept = shortened(text, limit).removesuffix("…")
        assert kept.replace(whole, "") == "" or kept.rstrip() != kept


def test_two_flags_are_two_characters():
    assert shortened("🇩🇿🇫🇷", 8 + 3) == "🇩🇿…"


@given(st.text(max_size=200), st.integers(0, 400))
def test_what_is_shortened_fits_and_begins_like_the_original(text, limit):
    short = shortened(text, limit)

    assert len(short.encode()) <= limit or short == text == ""
    if short != text:
        assert short == "" or short.endswith("…")
        assert text.startswith(short.rstrip("…" + PDI).rstrip())


@given(
    st.text(alphabet="ab سلامُ\u0301 👩\u200d👧🇩🇿\r\n\u0600" + FSI + PDI, max_size=60),
    st.integers(3, 90),
)
def test_as_much_is_kept_as_fits(text, limit):
    """However it is found: by going through the whole text it is the same."""
    short = shortened(text, limit)
    if short == text:
        return

    def closed(kept):
        level = 0
        for char in kept:
            level = level + 1 if char == FSI else max(0, level - 1) if char == PDI else level
        return kept, PDI * level

    ends = [0]
    for piece in CharacterBreaker(text, "root"):
        ends.append(ends[-1] + len(piece))
    fitting = [
        (kept, marks)
        for kept, marks in map(closed, (text[:end] for end in ends))
        if len((kept + marks).encode()) <= limit - 3
    ]
    kept, marks = fitting[-1]
    assert short == kept.rstrip() + marks + "…"


@example("سسسس" + PDI + FSI + "سسسسسسسسسس", 20)
@given(st.text(alphabet="ab سلام" + FSI + PDI, max_size=80), st.integers(3, 120))
def test_shortening_leaves_no_isolate_open(text, limit):
    def depth(text):
        level = 0
        for char in text:
            level = level + 1 if char == FSI else max(0, level - 1) if char == PDI else level
        return level

    assert depth(shortened(text, limit)) <= depth(text)


@given(st.text(max_size=6000), st.text(max_size=6000))
def test_whatever_fills_a_text_it_fits_a_push(title, body):
    rendering = Rendering(Template(texts={"fr": Text("x{t}", "de {b}")}))

    content = rendering.content("fr", {"t": title, "b": body}, Beside(data={"k": "v" * 500}))

    assert len(content.title.encode()) <= TITLE_BYTES
    assert len(content.body.encode()) <= BODY_BYTES
    assert len(msgspec.json.encode(content)) <= PAYLOAD_BYTES - ENVELOPE_BYTES + 200


def test_data_takes_room_from_the_body_then_from_the_title():
    content = fitted(Content(title="t" * 200, body="ب" * 600, data={"k": "v" * 3450}))

    now = datetime(2026, 11, 26, tzinfo=UTC)
    sent = request_of(attempt(AddressKind.APNS, now=now, content=content), topic="app.zaffa")
    assert content.title.endswith("…")
    assert content.body == ""
    assert PAYLOAD_BYTES - ENVELOPE_BYTES < len(sent.body) <= PAYLOAD_BYTES


def test_buttons_and_links_take_room_as_well():
    actions = tuple(Action(f"a{number}", "“oui”" * 5, "/" * 100) for number in range(3))
    content = fitted(
        Content(title="t", body="ب" * 600, link="/" * 500, actions=actions, data={"k": "v" * 300})
    )

    assert content.body.endswith("…")


def test_data_that_leaves_no_room_is_refused():
    with pytest.raises(PushTooLarge):
        fitted(Content(title="t", body="b", data={"k": "v" * 3600}))


@pytest.mark.parametrize(("title", "body"), [("", ""), (" ", "\n")])
def test_what_says_nothing_is_refused_as_that(title, body):
    with pytest.raises(TemplateInvalid) as refused:
        fitted(Content(title=title, body=body))

    assert "needs a title or a body" in refused.value.message


def test_a_smaller_limit_can_be_named():
    """FCM's topics take half of what devices take."""
    content = Content(title="t", body="b" * 1200, data={"k": "v" * 500})

    assert fitted(content) == content
    assert fitted(content, limit=2048).body.endswith("…")


def test_arabic_is_counted_in_bytes():
    assert len(shortened("ب" * 100, 51).encode()) <= 51
    assert unicodedata.category(shortened("بَ" * 9, 12)[-1]) != "Mn"
