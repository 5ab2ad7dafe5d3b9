"""Our two ends against h2's, which has read the standard too."""

from contextlib import suppress

import pytest
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from notifications.http2.encoder import literal, status
from notifications.http2.ends import ClientWire
from notifications.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    ErrorCode,
    Http2Error,
    head_of,
    settings_frame,
)
from tests.notifications.http2.conftest import POST, Answering, Asking, Heard

OK = [(":status", "200"), ("apns-id", "1")]
OK_BYTES = [(name.encode(), value.encode()) for name, value in OK]


def of(kind: type, events: list[object]) -> list[object]:
    return [event for event in events if isinstance(event, kind)]


class TestAsking:
    def test_a_request_arrives_as_it_was_meant(self, asking: Asking) -> None:
        first, second = asking.ask(b"one"), asking.ask(b"two")

        events = asking.exchange()

        requests = of(RequestReceived, events)
        meant = [*POST.pseudo, (b":path", POST.path), *POST.common, *POST.own]
        assert [each.headers for each in requests] == [meant, meant]  # type: ignore[attr-defined]
        assert [each.data for each in of(DataReceived, events)] == [b"one", b"two"]  # type: ignore[attr-defined]
        assert [each.stream_id for each in of(StreamEnded, events)] == [first, second]  # type: ignore[attr-defined]

    @pytest.mark.parametrize("size", [16_384, 16_385, 40_000])
    def test_what_is_larger_than_a_frame_travels_in_several(
        self, size: int, asking: Asking
    ) -> None:
        head = POST._replace(own=((b"x-large", b"x" * size),))
        asking.peer.decoder.max_header_list_size = 10 * size
        asking.ask(b"y" * size, head)

        events = asking.exchange()

        [request] = of(RequestReceived, events)
        assert dict(request.headers)[b"x-large"] == b"x" * size  # type: ignore[attr-defined]
        assert sum(len(each.data) for each in of(DataReceived, events)) == size  # type: ignore[attr-defined]

    def test_an_answer_is_heard_whole(self, asking: Asking) -> None:
        stream = asking.ask()
        asking.exchange()
        asking.peer.send_headers(stream, OK)
        asking.peer.send_data(stream, b"gone", end_stream=True)
        asking.exchange()

        assert asking.heard.of("headers") == [(stream, OK_BYTES, False)]
        assert asking.heard.of("data") == [(stream, b"gone", True)]

    def test_windows_are_opened_again_for_as_long_as_answers_come(self, asking: Asking) -> None:
        stream = asking.ask()
        asking.exchange()
        asking.peer.send_headers(stream, OK)
        opened = 0
        for _ in range(50):
            asking.peer.send_data(stream, b"x" * 8_000)
            opened += len(of(WindowUpdated, asking.exchange()))

        assert 0 < opened < 50
        assert sum(len(data) for _, data, _ in asking.heard.of("data")) == 400_000  # type: ignore[misc,arg-type]

    def test_what_comes_for_a_stream_given_up_means_nothing_but_counts(
        self, asking: Asking
    ) -> None:
        stream = asking.ask()
        asking.exchange()
        asking.wire.reset(stream, ErrorCode.CANCEL)
        late = head_of(2, HEADERS, END_HEADERS, stream) + b"\x88\x88"
        asking.wire.receive(late + (head_of(16_000, DATA, 0, stream) + b"x" * 16_000) * 3)

        assert [each.error_code for each in of(StreamReset, asking.exchange())] == [  # type: ignore[attr-defined]
            ErrorCodes.CANCEL
        ]
        assert not asking.heard.of("headers") + asking.heard.of("data")
        assert asking.peer.outbound_flow_control_window > 65_535

    def test_bodies_are_taken_as_far_as_both_windows_go(self, asking: Asking) -> None:
        assert asking.wire.takes(b"x" * 65_535)
        assert not asking.wire.takes(b"x" * 65_536)
        asking.ask(b"x" * 60_000)
        assert asking.wire.takes(b"x" * 5_535)
        assert not asking.wire.takes(b"x" * 5_536)

        asking.peer.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
        asking.exchange()

        assert asking.wire.takes(b"x" * 10)
        assert not asking.wire.takes(b"x" * 11)

    def test_a_goaway_a_reset_and_a_ping_are_heard(self, asking: Asking) -> None:
        stream = asking.ask()
        asking.exchange()
        asking.peer.ping(b"12345678")
        asking.peer.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
        asking.peer.close_connection(additional_data=b"bye", last_stream_id=stream)
        asking.wire.receive(asking.peer.data_to_send())

        assert asking.heard.of("reset") == [(stream, ErrorCode.REFUSED_STREAM)]
        assert asking.heard.of("goaway") == [(stream, b"bye")]
        assert asking.heard.of("ping") == [()]

    @given(st.lists(st.integers(1, 40), max_size=40))
    def test_it_does_not_matter_in_which_pieces_it_comes(self, sizes: list[int]) -> None:
        said = settings_frame({3: 7, 999: 1}) + head_of(8, PING, 0, 0) + b"12345678"
        said += head_of(7, HEADERS, PADDED, 1) + b"\x02\x88\x00\x01a\x00\x00"
        said += head_of(2, CONTINUATION, END_HEADERS, 1) + b"\x01b"
        said += head_of(0, 77, 255, 5) + head_of(5, PRIORITY, 0, 9) + bytes(5)
        said += head_of(5, DATA, PADDED | END_STREAM, 1) + b"\x02ok\x00\x00"
        whole, pieces = Heard(), Heard()
        for heard, cuts in ((whole, [len(said)]), (pieces, [*sizes, len(said)])):
            wire = ClientWire(heard)
            wire.ask(POST, b"")
            place = 0
            for size in cuts:
                wire.receive(said[place : place + size])
                place += size

        assert whole.calls == pieces.calls
        assert whole.calls[-1] == ("data", 1, b"ok", True)


class TestAnswering:
    def test_an_answer_arrives_as_it_was_meant(self, answering: Answering) -> None:
        answering.ask(1, b"question")
        answering.exchange()
        answering.wire.send_headers(1, status(410) + literal(OK_BYTES[1:]), ended=False)
        answering.wire.send_data(1, b"gone", ended=True)

        events = answering.exchange()

        [answer] = of(ResponseReceived, events)
        assert answer.headers == [(b":status", b"410"), *OK_BYTES[1:]]  # type: ignore[attr-defined]
        assert [each.data for each in of(DataReceived, events)] == [b"gone"]  # type: ignore[attr-defined]

    def test_the_room_of_a_stream_is_what_its_caller_says(self, answering: Answering) -> None:
        answering.peer.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
        answering.ask(1)
        answering.exchange()
        assert answering.wire.room(1) == 10

        answering.wire.send_headers(1, status(200), ended=False)
        answering.wire.send_data(1, b"x" * 10, ended=False)
        answering.exchange()
        assert answering.wire.room(1) == 0

        answering.peer.increment_flow_control_window(7, stream_id=1)
        answering.peer.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 5})
        answering.exchange()
        assert answering.wire.room(1) == 2

    def test_a_small_window_is_agreed_on_and_opened_again(self, answering: Answering) -> None:
        answering.ask(1)
        answering.exchange()
        answering.peer.send_headers(3, [*POST.pseudo, (b":path", b"/")])
        for _ in range(20):
            assert answering.peer.local_flow_control_window(3) >= 300
            answering.peer.send_data(3, b"x" * 300)
            answering.exchange()

        assert len(answering.heard.of("data")) == 20

    def test_a_goodbye_names_the_last_stream(self, answering: Answering) -> None:
        answering.ask(1)
        answering.exchange()
        answering.wire.go_away(1, ErrorCode.ENHANCE_YOUR_CALM, b"calm")

        [goodbye] = of(ConnectionTerminated, answering.exchange())

        assert goodbye.last_stream_id == 1  # type: ignore[attr-defined]
        assert goodbye.error_code == ErrorCodes.ENHANCE_YOUR_CALM  # type: ignore[attr-defined]
        assert goodbye.additional_data == b"calm"  # type: ignore[attr-defined]


def framed(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return head_of(len(payload), kind, flags, stream) + payload


BROKEN = {
    "DATA of no stream": framed(DATA, b"x"),
    "DATA of an idle stream": framed(DATA, b"x", stream=7),
    "an answer to nothing": framed(HEADERS, b"\x88", flags=END_HEADERS, stream=7),
    "an answer to half a connection": framed(HEADERS, b"\x88", flags=END_HEADERS, stream=2),
    "no padding where there must be some": framed(HEADERS, flags=PADDED | END_HEADERS, stream=1),
    "more padding than payload": framed(DATA, b"\x05x", flags=PADDED, stream=1),
    "less than a priority": framed(HEADERS, b"x", flags=WITH_PRIORITY | END_HEADERS, stream=1),
    "a header block with a hole": framed(HEADERS, b"\x88", stream=1) + framed(PING, bytes(8)),
    "a CONTINUATION of nothing": framed(CONTINUATION, b"\x88", flags=END_HEADERS, stream=1),
    "no header block": framed(HEADERS, b"\x80", flags=END_HEADERS, stream=1),
    "an endless header block": framed(HEADERS, b"", stream=1)
    + framed(CONTINUATION, bytes(16_384), stream=1) * 5,
    "too large a frame": head_of(16_385, DATA, 0, 1),
    "a promise": framed(PUSH_PROMISE, bytes(5), flags=END_HEADERS, stream=1),
    "SETTINGS of a stream": framed(SETTINGS, stream=1),
    "half a setting": framed(SETTINGS, b"xx"),
    "a frame size that is none": settings_frame({5: 1}),
    "a window that is none": settings_frame({4: 2**31}),
    "neither pushes nor none": settings_frame({2: 2}),
    "a window opened by nothing": framed(WINDOW_UPDATE, bytes(4)),
    "a window opened too far": framed(WINDOW_UPDATE, (2**31 - 1).to_bytes(4, "big")),
    "a strange window": framed(WINDOW_UPDATE, bytes(3)),
    "the window of an idle stream": framed(WINDOW_UPDATE, b"\0\0\0\1", stream=7),
    "the end of an idle stream": framed(RST_STREAM, bytes(4), stream=7),
    "a strange end": framed(RST_STREAM, bytes(5), stream=1),
    "a strange PING": framed(PING, b"x"),
    "a strange GOAWAY": framed(GOAWAY, bytes(7)),
    "a strange PRIORITY": framed(PRIORITY, bytes(4), stream=1),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_breaks_the_protocol_is_told(what: str, asking: Asking) -> None:
    asking.ask()

    with pytest.raises(Http2Error):
        asking.wire.receive(BROKEN[what])


def test_settings_come_first() -> None:
    with pytest.raises(Http2Error):
        ClientWire(Heard()).receive(framed(PING, bytes(8)))


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_break_the_protocol(noise: bytes) -> None:
    asking = Asking()
    asking.exchange()
    asking.ask()
    with suppress(Http2Error):
        asking.wire.receive(noise)


def test_more_than_a_window_is_refused(answering: Answering) -> None:
    answering.ask(1)
    answering.exchange()
    answering.peer.send_headers(3, [*POST.pseudo, (b":path", b"/")])
    answering.exchange()

    with pytest.raises(Http2Error) as caught:
        answering.wire.receive(framed(DATA, bytes(1001), stream=3))
    assert caught.value.code is ErrorCode.FLOW_CONTROL_ERROR
