import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from notifications.http2.decoder import Header, HeaderDecoder
from notifications.http2.encoder import HeaderEncoder, literal, status
from notifications.http2.frames import Http2Error

texts = st.text("abcdef0123456789.-~é", max_size=300).map(str.encode)
names = st.sampled_from([b":path", b"authorization", b"apns-id", b"apns-topic", b"x" * 130])
headers = st.lists(st.tuples(names, texts), max_size=8)
sizes = st.sampled_from([None, None, None, 0, 64, 150, 4096])


@given(st.lists(st.tuples(headers, headers, sizes), max_size=12))
def test_any_peer_reads_what_was_meant_whatever_its_table_does(
    said: list[tuple[list[Header], list[Header], int | None]],
) -> None:
    encoder, decoder = HeaderEncoder(), Decoder()
    for common, own, size in said:
        if size is not None:
            encoder.allow(size)
        block = encoder.common(tuple(common)) + literal(own)

        assert decoder.decode(block, raw=True) == common + own


@given(st.lists(st.tuples(headers, st.booleans(), sizes), max_size=12))
def test_whatever_a_peer_writes_is_read(said: list[tuple[list[Header], bool, int | None]]) -> None:
    encoder, decoder = Encoder(), HeaderDecoder()
    for wanted, huffman, size in said:
        if size is not None:
            encoder.header_table_size = size
        sensitive = [(name, value, name == b"authorization") for name, value in wanted]

        assert decoder.decode(encoder.encode(sensitive, huffman=huffman)) == wanted


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_what_is_no_block_is_refused_by_both_or_by_none(blocks: list[bytes]) -> None:
    """Ours refuses an update of the table's size after the first header, hpack does not."""
    ours, theirs = HeaderDecoder(), Decoder()
    for block in blocks:
        try:
            read = ours.decode(block)
        except Http2Error:
            return
        assert theirs.decode(block, raw=True) == read


@pytest.mark.parametrize("code", [200, 204, 400, 403, 404, 410, 413, 429, 500, 503])
def test_a_status_is_read_as_it_was_meant(code: int) -> None:
    assert Decoder().decode(status(code), raw=True) == [(b":status", str(code).encode())]


def test_the_second_of_two_like_blocks_is_short_and_leaves_no_trace_in_the_table() -> None:
    encoder = HeaderEncoder()
    common = ((b":method", b"POST"), (b"apns-topic", b"app.zaffa.demo"), (b"apns-priority", b"5"))
    first = encoder.common(common)
    table = list(encoder.header_table.dynamic_entries)

    second = encoder.common(common)

    assert len(second) == len(common) < len(first)
    assert encoder.common(common) is encoder.common(common)
    assert list(encoder.header_table.dynamic_entries) == table


def test_more_headers_than_anybody_needs_are_refused() -> None:
    """A small block may mean a large list: each byte repeats an entry of the table."""
    decoder, encoder = HeaderDecoder(), Encoder()
    decoder.decode(encoder.encode([(b"x", b"y" * 4000)], huffman=False))

    with pytest.raises(Http2Error):
        decoder.decode(b"\xbe" * 20)
