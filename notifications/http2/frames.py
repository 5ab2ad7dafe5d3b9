"""HTTP/2's frames (RFC 9113): their kinds, their heads, and what may be wrong with them. Pure."""

from enum import IntEnum
from struct import Struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION = 8, 9

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

HEAD_BYTES = 9
FRAME_BYTES = 16_384
"""The largest payload until the other side takes more; we never do."""
WINDOW_BYTES = 65_535
"""Every window, until somebody says otherwise."""
LARGEST_WINDOW = 2**31 - 1
LAST_STREAM = 2**31 - 1

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class ErrorCode(IntEnum):
    """Why a stream or connection ends before its time."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11


class Setting(IntEnum):
    """What one side tells the other of itself. Those that nobody knows are ignored."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Http2Error(Exception):
    """The other side broke the protocol: the connection is over."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


# Length and kind share four bytes; then flags, then the stream.
_HEAD = Struct(">IBI")
unpack_head = _HEAD.unpack_from


def head_of(size: int, kind: int, flags: int, stream: int) -> bytes:
    """What stands before a payload of so many bytes."""
    return _HEAD.pack(size << 8 | kind, flags, stream)


def settings_frame(settings: dict[int, int]) -> bytes:
    """A SETTINGS frame that says these."""
    pairs = [_SETTING.pack(number, value) for number, value in settings.items()]
    return head_of(6 * len(pairs), SETTINGS, 0, 0) + b"".join(pairs)


def settings_of(payload: bytes) -> dict[int, int]:
    """What a SETTINGS frame says. Raises `Http2Error`."""
    if len(payload) % 6:
        raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of a strange length")
    said: dict[int, int] = dict(_SETTING.iter_unpack(payload))
    if said.get(Setting.ENABLE_PUSH, 0) > 1:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH")
    if said.get(Setting.INITIAL_WINDOW_SIZE, 0) > LARGEST_WINDOW:
        raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE")
    if not FRAME_BYTES <= said.get(Setting.MAX_FRAME_SIZE, FRAME_BYTES) < 2**24:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE")
    return said


_SETTING = Struct(">HI")


def number_of(payload: bytes, kind: str) -> int:
    """The four bytes that are the whole of a frame. Raises `Http2Error`."""
    if len(payload) != 4:
        raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, f"{kind} of a strange length")
    return int.from_bytes(payload, "big")


def unpadded(flags: int, payload: bytes) -> bytes:
    """A payload of DATA or HEADERS without padding and priority. Raises `Http2Error`."""
    start, end = 0, len(payload)
    if flags & PADDED:
        if not payload:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "no length of padding")
        start, end = 1, end - payload[0]
    if flags & WITH_PRIORITY:
        start += 5
    if start > end:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "more padding than payload")
    return payload[start:end]
