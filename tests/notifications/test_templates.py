"""Rendering: languages, isolates, sizes."""

import unicodedata
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifications.adapters.apns_message import request_of
from notifications.errors import PushTooLarge, TemplateInvalid, TemplateNotFound, VariableMissing
from notifications.templates import (
    BODY_BYTES,
    BUILT_IN,
    ENVELOPE_BYTES,
    PAYLOAD_BYTES,
    TITLE_BYTES,
    fitted,
    locale_chain,
    rendered,
    shortened,
    text_for,
    texts_of,
    variables_of,
)
from notifications.types import AddressKind, Content, Text
from tests.support.sandbox import attempt

FSI, PDI = "\u2068", "\u2069"


@pytest.mark.parametrize(
    ("locale", "chain"),
    [
        ("ar-DZ", ["ar-DZ", "ar", "fr", "en"]),
        ("fr", ["fr", "en"]),
        ("en-GB", ["en-GB", "en", "fr"]),
        ("zh-Hant-TW", ["zh-Hant-TW", "zh-Hant", "zh", "fr", "en"]),
    ],
)
def test_a_text_is_looked_for_from_the_nearest_language_on(locale, chain):
    assert list(locale_chain(locale)) == chain


def test_any_text_is_better_than_none():
    assert text_for({"it": Text("Ciao", "")}, "ar-DZ").title == "Ciao"
    with pytest.raises(TemplateInvalid):
        text_for({}, "ar")


@pytest.mark.parametrize(
    ("locale", "body"),
    [
        ("ar-DZ", f"{FSI}Noces{PDI}، {FSI}الجمعة{PDI}"),
        ("fr-DZ", f"{FSI}Noces{PDI}, {FSI}الجمعة{PDI}"),
        ("en", f"{FSI}Noces{PDI}, {FSI}الجمعة{PDI}"),
    ],
)
def test_variables_in_a_sentence_are_isolated(locale, body):
    variables = {"task": "T", "event": "Noces", "when": "الجمعة"}
    text = text_for(texts_of("task.reminder", variables), locale)

    assert rendered(text, variables)[1] == body


def test_a_variable_alone_needs_no_isolate():
    texts = texts_of("chat.message", {"sender": "Amina", "text": "سلام", "conversation": ""})

    assert rendered(texts["ar"], {"sender": "Amina", "text": "سلام"}) == ("Amina", "سلام")


def test_a_message_in_a_conversation_with_a_title_says_both():
    variables = {"sender": "Amina", "text": "سلام", "conversation": "Traiteur"}
    texts = texts_of("chat.message", variables)

    assert rendered(texts["en"], variables) == (
        "Traiteur",
        f"{FSI}Amina{PDI}: {FSI}سلام{PDI}",
    )


def test_a_value_cannot_escape_from_its_isolate():
    text = Text("{a} b", "")

    title, _ = rendered(text, {"a": f"x{PDI}\u202ey\u2066"})

    assert title == f"{FSI}xy{PDI} b"


def test_a_missing_variable_is_named():
    with pytest.raises(VariableMissing) as caught:
        rendered(Text("{task}", "{when}"), {"task": "Robe"})

    assert caught.value.details == {"variable": "when"}


def test_a_value_that_looks_like_a_variable_stays_as_it_is():
    assert rendered(Text("{a}", "{b}"), {"a": "{b}", "b": 2}) == ("{b}", "2")


def test_an_unknown_template_is_refused():
    with pytest.raises(TemplateNotFound):
        texts_of("nothing", {})


def test_every_built_in_text_is_sound_and_every_language_needs_the_same_variables():
    for texts in BUILT_IN.values():
        assert len({variables_of(text) for text in texts.values()}) == 1


@pytest.mark.parametrize("title", ["{", "}", "{Name}", "{a b}", "{}"])
def test_a_brace_without_a_name_is_refused(title):
    with pytest.raises(TemplateInvalid):
        variables_of(Text(title, ""))


@pytest.mark.parametrize(
    "whole",
    ["👩‍👩‍👧‍👦", "🇩🇿", "é", "👍🏽", "لُ", "🏴\U000e0067\U000e0062\U000e007f", "\r\n", "한", "❤️"],
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
    words = rendered(Text("{t}", "de {b}"), {"t": title, "b": body})
    content = fitted(Content(title=words[0], body=words[1], data={"k": "v" * 500}))

    assert len(words[0].encode()) <= TITLE_BYTES
    assert len(words[1].encode()) <= BODY_BYTES
    assert len(msgspec.json.encode(content)) <= PAYLOAD_BYTES - ENVELOPE_BYTES


def test_data_takes_room_from_the_body_then_from_the_title():
    content = fitted(Content(title="t" * 200, body="ب" * 600, data={"k": "v" * 3450}))

    now = datetime(2026, 11, 26, tzinfo=UTC)
    sent = request_of(attempt(AddressKind.APNS, now=now, content=content), topic="app.zaffa")
    assert content.title.endswith("…")
    assert content.body == ""
    assert PAYLOAD_BYTES - ENVELOPE_BYTES < len(sent.body) <= PAYLOAD_BYTES


def test_data_that_leaves_no_room_is_refused():
    with pytest.raises(PushTooLarge):
        fitted(Content(title="t", body="b", data={"k": "v" * 3600}))


def test_arabic_is_counted_in_bytes():
    assert len(shortened("ب" * 100, 51).encode()) <= 51
    assert unicodedata.category(shortened("بَ" * 9, 12)[-1]) != "Mn"
