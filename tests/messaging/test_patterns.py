"""Patterns of channel names mean what Centrifugo's do, and never take long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.channels.patterns import pattern_of


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*", ["", "a", "news:1", "a\nb"], []),
        ("news:*", ["news:", "news:1", "news:1:2"], ["anews:1", "news"]),
        ("*:1", ["news:1", ":1"], ["news:2", "news:11"]),
        ("*a*b*", ["ab", "xaxbx", "aab"], ["ba", ""]),
        ("news:?", ["news:1", "news:é"], ["news:", "news:12"]),
        ("[abc]1", ["a1", "c1"], ["d1", "1"]),
        ("[!abc]1", ["d1"], ["a1"]),
        ("[a-c]1", ["b1"], ["d1", "-1"]),
        ("[!a-c]1", ["d1"], ["b1"]),
        ("{news,chat}:*", ["news:1", "chat:"], ["new:1", "newschat:1"]),
        ("{a,b{c,d*}}?", ["ax", "bcx", "bdx", "bdyx"], ["bx", "a"]),
        ("{,a}b", ["b", "ab"], ["bb"]),
        (r"\*a\?", ["*a?"], ["xa?", r"\*a\?"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a,b", ["a,b"], ["a", "b"]),
        ("user:#1", ["user:#1"], ["user:1"]),
    ],
)
def test_a_pattern_means_these_names(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = pattern_of(pattern).fullmatch

    assert [each for each in matching if not matches(each)] == []
    assert [each for each in others if matches(each)] == []


@pytest.mark.parametrize(
    "pattern", ["{a", "{a,{b}", "[a", "[]", "[z-a]", "a\\", "{a,b}" * 7, "{" * 200]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"has|ends"):
        pattern_of(pattern)


@given(st.text(alphabet="*?[]!-{},\\ab:", max_size=40), st.text(alphabet="ab:", max_size=60))
def test_any_text_is_a_pattern_or_refused(pattern: str, name: str) -> None:
    try:
        compiled = pattern_of(pattern)
    except ValueError:
        return
    compiled.fullmatch(name)


@given(st.text(max_size=40))
def test_a_name_with_every_sign_taken_as_it_is_matches_itself(name: str) -> None:
    pattern = "".join(f"\\{each}" for each in name)

    assert pattern_of(pattern).fullmatch(name)


def test_no_pattern_makes_matching_slow() -> None:
    name, pattern = "a" * 255, "*a" * 120 + "*b"

    began = time.process_time()
    assert not pattern_of(pattern).fullmatch(name)

    assert time.process_time() - began < 1.0
