"""What travels beside data arrives as it left, and what is not understood is nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.bus import Publication, StreamPosition
from messaging.delivery.extras import NOTHING, Attendance, attendance_of, extra_of, read, value_of
from messaging.protocol import values
from messaging.protocol.values import ClientInfo

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
payloads = st.sampled_from(
    [b"", b'{"a":1}', b'"\xd8\xb6\xd9\x8a\xd9\x81"', b"[1, 2]", b"0", b"false"]
)
infos = st.builds(ClientInfo, texts, texts, payloads, payloads)


@given(st.none() | infos, st.dictionaries(texts, texts, max_size=4))
def test_who_published_and_tags_arrive_as_they_left(info, tags):
    extra = read(extra_of(info=info, tags=tags))

    assert (extra.info, extra.tags, extra.attendance) == (info, tags, None)


@given(st.sampled_from(Attendance), infos)
def test_who_came_or_went_arrives_as_it_left(attendance, info):
    extra = read(attendance_of(attendance, info))

    assert (extra.attendance, extra.info) == (attendance, info)


def test_nothing_to_say_costs_nothing():
    assert extra_of() == extra_of(tags={}) == b""


@given(st.binary(max_size=60))
def test_what_is_not_understood_is_nothing(extra):
    read(extra)


@pytest.mark.parametrize("extra", [b"{", b"[]", b'{"attendance":"dance"}', b'{"tags":7}', b"\xff"])
def test_what_a_later_release_says_is_nothing(extra):
    assert read(extra) is NOTHING


@pytest.mark.parametrize(("position", "offset"), [(None, 0), (StreamPosition(7, "e"), 7)])
def test_a_publication_is_told_with_all_of_it(position, offset):
    info = ClientInfo("amina", "a-client", b"1", b"2")
    publication = Publication("hall:1", b"{}", position, extra_of(info=info, tags={"a": "b"}))

    assert value_of(publication) == values.Publication(b"{}", info, offset, {"a": "b"})
