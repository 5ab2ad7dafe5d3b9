"""One end of an HTTP/2 connection (RFC 9113) without I/O: bytes in, calls and bytes out."""

from abc import ABC, abstractmethod
from collections import deque

from notifications.http2.decoder import HeaderDecoder
from notifications.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES,
    GOAWAY,
    HEAD_BYTES,
    HEADERS,
    LARGEST_WINDOW,
    LAST_STREAM,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_BYTES,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    ErrorCode,
    Http2Error,
    Setting,
    head_of,
    number_of,
    settings_frame,
    settings_of,
    unpack_head,
    unpadded,
)
from notifications.http2.streams import Streams

_BLOCK_BYTES = 65_536
"""Of a header block in several frames, at most."""


class Wire(ABC):
    """Reads frames, keeps windows, and collects what is to be written.

    Windows for what comes are opened again as it is taken. How many streams there may be, and
    whether there is room for what is sent, is looked at by whoever keeps the streams.
    """

    def __init__(self, streams: Streams, *, settings: dict[int, int], preface: bytes = b"") -> None:
        self.window = WINDOW_BYTES
        """Bytes of DATA that may be sent on all streams together."""
        self.initial_window = WINDOW_BYTES
        """Bytes of DATA that may be sent on a new stream."""
        self._streams = streams
        self._decoder = HeaderDecoder()
        self._out: list[bytes] = [preface]
        self._frame_bytes = FRAME_BYTES
        self._rest = b""
        self._greeted = False
        self._block: bytearray | None = None
        self._block_of = (0, False)
        self._taken = 0
        self._stream_window = WINDOW_BYTES
        # Open for what comes, with the bytes that were taken since the window was opened.
        self._coming: dict[int, int] = {}
        self.agreed: dict[int, int] = {}
        """What the other side knows of us."""
        self._told: deque[dict[int, int]] = deque()
        self.tell(settings)
        self._others = {
            SETTINGS: self._read_settings,
            WINDOW_UPDATE: self._read_window,
            RST_STREAM: self._read_reset,
            PING: self._read_ping,
            GOAWAY: self._read_goaway,
            CONTINUATION: self._read_continuation,
            PUSH_PROMISE: self._read_promise,
            PRIORITY: self._read_priority,
        }

    def receive(self, data: bytes) -> None:
        """Take what came. Raises `Http2Error` for what no peer may send."""
        if self._rest:
            data = self._rest + data
        place, end = 0, len(data)
        while end - place >= HEAD_BYTES:
            word, flags, stream = unpack_head(data, place)
            start = place + HEAD_BYTES
            stop = start + (word >> 8)
            if stop > end:
                if stop - start > FRAME_BYTES:
                    raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "too large a frame")
                break
            place = stop
            self._read(word & 0xFF, flags, stream & LAST_STREAM, data[start:stop])
        self._rest = data[place:]

    def _read(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if len(payload) > FRAME_BYTES:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "too large a frame")
        if self._block is not None and kind != CONTINUATION:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a frame within a header block")
        if kind == HEADERS:
            if flags & (PADDED | WITH_PRIORITY):
                payload = unpadded(flags, payload)
            if flags & END_HEADERS:
                self._take_headers(stream, payload, bool(flags & END_STREAM))
            else:
                self._block = bytearray(payload)
                self._block_of = stream, bool(flags & END_STREAM)
        elif kind == DATA:
            self._read_data(flags, stream, payload)
        elif (read := self._others.get(kind)) is not None:
            read(flags, stream, payload)
        if not self._greeted:
            if kind != SETTINGS:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "SETTINGS come first")
            self._greeted = True

    # What is sent.

    def tell(self, settings: dict[int, int]) -> None:
        """Say this of ourselves; it counts from when the other side has answered."""
        self._told.append(settings)
        self._out.append(settings_frame(settings))

    def send_headers(self, stream: int, block: bytes, *, ended: bool) -> None:
        flags = END_STREAM if ended else 0
        size = self._frame_bytes
        if len(block) <= size:
            self._out.append(head_of(len(block), HEADERS, flags | END_HEADERS, stream) + block)
            return
        pieces = [block[start : start + size] for start in range(0, len(block), size)]
        self._out.append(head_of(size, HEADERS, flags, stream) + pieces[0])
        for number, piece in enumerate(pieces[1:], 2):
            last = END_HEADERS if number == len(pieces) else 0
            self._out.append(head_of(len(piece), CONTINUATION, last, stream) + piece)

    def send_data(self, stream: int, data: bytes, *, ended: bool) -> None:
        """Send what the windows have room for: whoever calls has looked."""
        self.window -= len(data)
        flags = END_STREAM if ended else 0
        size = self._frame_bytes
        while len(data) > size:
            self._out.append(head_of(size, DATA, 0, stream) + data[:size])
            data = data[size:]
        self._out.append(head_of(len(data), DATA, flags, stream) + data)

    def reset(self, stream: int, code: ErrorCode) -> None:
        """Give a stream up."""
        self._coming.pop(stream, None)
        self._out.append(head_of(4, RST_STREAM, 0, stream) + code.to_bytes(4, "big"))

    def go_away(self, last_stream: int, code: ErrorCode, debug: bytes = b"") -> None:
        """Say that the streams above that one were not looked at, and that no new one will be."""
        payload = last_stream.to_bytes(4, "big") + code.to_bytes(4, "big") + debug
        self._out.append(head_of(len(payload), GOAWAY, 0, 0) + payload)

    def to_send(self) -> bytes:
        """What was collected since the last call."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # What comes.

    @abstractmethod
    def _is_coming(self, stream: int, ended: bool) -> bool:
        """Whether headers for this stream are for anybody. Raises `Http2Error`."""

    @abstractmethod
    def _is_idle(self, stream: int) -> bool:
        """Whether nobody has opened this stream yet."""

    @abstractmethod
    def _open_window(self, stream: int, by: int) -> None:
        """The other side takes so much more on one stream."""

    @abstractmethod
    def _apply(self, said: dict[int, int]) -> None:
        """The other side has said this of itself."""

    def _take_headers(self, stream: int, block: bytes, ended: bool) -> None:
        headers = self._decoder.decode(block)
        if not self._is_coming(stream, ended):
            return
        if ended:
            self._coming.pop(stream, None)
        self._streams.on_headers(stream, headers, ended)

    def _read_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._block is None or stream != self._block_of[0]:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a CONTINUATION of nothing")
        self._block += payload
        if len(self._block) > _BLOCK_BYTES:
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "too large a header block")
        if flags & END_HEADERS:
            block, self._block = bytes(self._block), None
            self._take_headers(stream, block, self._block_of[1])

    def _read_data(self, flags: int, stream: int, payload: bytes) -> None:
        size = len(payload)
        self._taken += size
        if self._taken > WINDOW_BYTES:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "more than the connection's window")
        if 2 * self._taken > WINDOW_BYTES:
            self._open_ours(0, self._taken)
            self._taken = 0
        taken = self._coming.get(stream)
        if taken is None:
            if self._is_idle(stream):
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "DATA of a stream that nobody opened")
            return
        if flags & PADDED:
            payload = unpadded(flags & PADDED, payload)
        ended = bool(flags & END_STREAM)
        if taken + size > self._stream_window:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "more than the stream's window")
        if ended:
            del self._coming[stream]
        elif 2 * (taken + size) >= self._stream_window and size:
            self._open_ours(stream, taken + size)
            self._coming[stream] = 0
        else:
            self._coming[stream] = taken + size
        self._streams.on_data(stream, payload, ended)

    def _open_ours(self, stream: int, by: int) -> None:
        self._out.append(head_of(4, WINDOW_UPDATE, 0, stream) + by.to_bytes(4, "big"))

    def _read_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "SETTINGS of a stream")
        if flags & ACK:
            if self._told:
                self.agreed |= self._told.popleft()
                self._stream_window = self.agreed.get(Setting.INITIAL_WINDOW_SIZE, WINDOW_BYTES)
            return
        said = settings_of(payload)
        self.initial_window = said.get(Setting.INITIAL_WINDOW_SIZE, self.initial_window)
        self._frame_bytes = said.get(Setting.MAX_FRAME_SIZE, self._frame_bytes)
        self._out.append(head_of(0, SETTINGS, ACK, 0))
        self._apply(said)
        self._streams.on_settings(said)

    def _read_window(self, flags: int, stream: int, payload: bytes) -> None:
        by = number_of(payload, "WINDOW_UPDATE") & LARGEST_WINDOW
        if not by:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE by nothing")
        if not stream:
            self.window += by
            if self.window > LARGEST_WINDOW:
                raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "too large a window")
        elif self._is_idle(stream):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "the window of a stream that nobody opened")
        else:
            self._open_window(stream, by)
        self._streams.on_window()

    def _read_reset(self, flags: int, stream: int, payload: bytes) -> None:
        code = number_of(payload, "RST_STREAM")
        if self._is_idle(stream):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "the end of a stream that nobody opened")
        self._coming.pop(stream, None)
        self._streams.on_reset(stream, code)

    def _read_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or len(payload) != 8:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "a strange PING")
        if not flags & ACK:
            self._out.append(head_of(8, PING, ACK, 0) + payload)
            self._streams.on_ping()

    def _read_goaway(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or len(payload) < 8:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "a strange GOAWAY")
        last_stream = int.from_bytes(payload[:4], "big") & LAST_STREAM
        self._streams.on_goaway(last_stream, payload[8:])

    def _read_promise(self, flags: int, stream: int, payload: bytes) -> None:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "nobody asked for promises")

    def _read_priority(self, flags: int, stream: int, payload: bytes) -> None:
        """Nobody follows it any more."""
        if len(payload) != 5:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "a strange PRIORITY")
