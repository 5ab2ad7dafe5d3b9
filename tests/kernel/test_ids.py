from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import USER_ID_BYTES, is_user_id, new_id, new_ids

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=365 * 8000)).map(lambda age: BEGINNING + age)


@given(now=INSTANTS)
def test_an_id_is_a_uuid_of_version_seven_that_begins_with_its_instant(now):
    made = new_id(now)

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == (now - BEGINNING) // timedelta(milliseconds=1)


@given(now=INSTANTS)
def test_an_id_of_a_later_millisecond_sorts_later(now):
    assert new_id(now) < new_id(now + timedelta(milliseconds=1))


def test_ids_of_one_instant_differ():
    now = datetime(2026, 3, 1, tzinfo=UTC)

    assert len({new_id(now) for _ in range(10_000)}) == 10_000
    assert len(set(new_ids(now, 10_000))) == 10_000


@pytest.mark.parametrize("text", ["1", "amina@example.dz", "أمينة", "auth0|5f7c", "a" * 128])
def test_what_can_name_a_user(text):
    assert is_user_id(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a\n", "a\x00", "\u200f", "\u00a0", "\ud800", "a" * 129, "أ" * 65],
)
def test_what_cannot_name_a_user(text):
    assert not is_user_id(text)


@given(text=st.text())
def test_a_user_id_is_short_printable_utf8(text):
    if is_user_id(text):
        assert 1 <= len(text.encode()) <= USER_ID_BYTES
        assert text.isprintable()
        assert text.split() == [text]
