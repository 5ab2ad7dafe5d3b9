from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from notifications.adapters.http2_headers import APNS_VARYING, HeaderEncoder

NAMES = [b":path", b"authorization", b"apns-id", b"apns-expiration", b"apns-collapse-id"]
Headers = list[tuple[bytes, bytes]]


def request(topic: bytes, priority: bytes, varying: bytes) -> Headers:
    return [
        (b":method", b"POST"),
        (b":authority", b"api.push.apple.com"),
        (b":path", b"/3/device/" + varying),
        (b"apns-topic", topic),
        (b"apns-priority", priority),
        (b"authorization", b"bearer " + varying),
        (b"apns-id", varying),
    ]


texts = st.text("abcdef0123456789.-", max_size=300).map(str.encode)


@given(
    st.lists(
        st.tuples(
            st.builds(request, texts, st.sampled_from([b"5", b"10"]), texts),
            st.sampled_from([None, None, None, 0, 64, 150, 4096]),
        ),
        max_size=12,
    )
)
def test_any_peer_reads_what_was_meant_whatever_its_table_does(
    said: list[tuple[Headers, int | None]],
) -> None:
    encoder, decoder = HeaderEncoder(APNS_VARYING), Decoder()
    for headers, size in said:
        if size is not None:
            encoder.header_table_size = size
        block = encoder.encode(headers)

        read = decoder.decode(block, raw=True)

        assert sorted(read) == sorted(headers)
        regular = [not name.startswith(b":") for name, _ in read]
        assert regular == sorted(regular)


def test_the_second_of_two_like_pushes_is_short_and_leaves_no_trace_in_the_table() -> None:
    encoder = HeaderEncoder(APNS_VARYING)
    first = encoder.encode(request(b"app.zaffa.demo", b"10", b"aa"))
    table = list(encoder.header_table.dynamic_entries)

    second = encoder.encode(request(b"app.zaffa.demo", b"10", b"bb"))

    assert len(second) < len(first) - 30
    assert list(encoder.header_table.dynamic_entries) == table
    assert {name for name, _ in table}.isdisjoint(NAMES)
