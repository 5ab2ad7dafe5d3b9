from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from kernel.paging import Page, cursor_of, parts_of

PARTS = st.lists(st.text(st.characters(exclude_characters="\x1f", codec="utf-8")), min_size=1)


def test_a_page_without_a_cursor_is_the_last():
    assert Page([1, 2]).cursor is None


@given(parts=PARTS)
def test_a_cursor_gives_back_what_was_put_in_and_fits_into_a_url(parts):
    cursor = cursor_of(*parts)

    assert parts_of(cursor, len(parts)) == tuple(parts)
    assert cursor.replace("-", "").replace("_", "").isalnum() or cursor == ""
    assert cursor.isascii()


@given(parts=PARTS, count=st.integers(1, 5))
def test_a_cursor_of_another_listing_is_refused(parts, count):
    if count == len(parts):
        count += 1

    with pytest.raises(InvalidInput, match="cursor"):
        parts_of(cursor_of(*parts), count)


@given(cursor=st.text())
def test_any_other_text_is_refused(cursor):
    with suppress(InvalidInput):
        assert cursor_of(*parts_of(cursor, 1)) == cursor


@pytest.mark.parametrize("wrong", ["%", "a", "YQ==", "YQ!", "YR", "/w", "_w", "é"])
def test_what_only_resembles_a_cursor_is_refused(wrong):
    with pytest.raises(InvalidInput):
        parts_of(wrong, 1)
