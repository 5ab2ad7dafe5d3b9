"""WebSocket frames of both directions (RFC 6455, 5 and 7.4), without I/O."""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final

from websockets.speedups import apply_mask

CONTROL_BYTES: Final = 125
"""Control frames cannot be longer."""


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """Why a WebSocket is closed, below the codes of the protocol that it carries."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    NO_STATUS = 1005
    INVALID_DATA = 1007
    TOO_BIG = 1009


_CODES = frozenset(Opcode)
_FIN, _RSV, _OPCODE, _CONTROL, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x08, 0x80, 0x7F
_TEXT = _FIN | Opcode.TEXT
_WHOLE = frozenset([_TEXT, _FIN | Opcode.BINARY])


class FrameViolation(Exception):
    """The client broke the framing: close with this code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def whole_message(data: bytes, limit: int) -> bytes | None:
    """The message that `data` is, if it is one whole frame of `limit` bytes at most.

    None for everything else, also for text that is not UTF-8.
    """
    if len(data) < 6:
        return None
    first, length = data[0], data[1] - _MASKED
    start = 6
    if length == 126:
        start, length = 8, int.from_bytes(data[2:4], "big")
    elif not 0 <= length < 126:
        return None
    if first not in _WHOLE or length > limit or len(data) != start + length:
        return None
    payload = apply_mask(data[start:], data[start - 4 : start])
    return payload if first != _TEXT or _is_utf8(payload) else None


class FrameReader:
    """Takes bytes as they come and gives whole messages and control frames.

    `limit` is the size of a message in bytes, at most; a frame that promises more is refused
    before its payload is awaited, so a reader never holds more than a message and a header.
    """

    __slots__ = ("_message", "_opcode", "_rest", "_whole_message")

    def __init__(self, whole: Callable[[bytes, int], bytes | None] = whole_message) -> None:
        """`whole` does what `whole_message` does, perhaps sooner."""
        self._whole_message = whole
        self._rest: bytes | bytearray = b""
        self._message: bytearray | None = None
        self._opcode = 0

    def message_in(self, data: bytes, *, limit: int) -> bytes | None:
        """The message that `data` is, if it is just one whole one, as it nearly always is.

        None, and nothing taken, when `feed` must see it.
        """
        if self._rest or self._message is not None:
            return None
        return self._whole_message(data, limit)

    def feed(self, data: bytes, *, limit: int) -> Iterator[tuple[int, bytes]]:
        """What is complete now: text, binary, close, ping and pong, each with its payload.

        Raises `FrameViolation` after giving what came before it.
        """
        if self._rest:
            self._rest = bytearray(self._rest)
            self._rest += data
            taken: bytes | bytearray = self._rest
            self._rest = b""
        else:
            taken = data
        at = 0
        size = len(taken)
        while size - at >= 2:
            length = taken[at + 1] & _LENGTH
            start = at + 6
            if length == 126:
                start = at + 8
            elif length == 127:
                start = at + 14
            self._judge(taken[at], taken[at + 1])
            if size < start:
                break
            if length > CONTROL_BYTES:
                length = int.from_bytes(taken[at + 2 : start - 4], "big")
                if length > limit - (len(self._message) if self._message is not None else 0):
                    raise FrameViolation(CloseCode.TOO_BIG, "message too big")
            if size < start + length:
                break
            payload = apply_mask(
                bytes(taken[start : start + length]), bytes(taken[start - 4 : start])
            )
            first = taken[at]
            at = start + length
            whole = self._whole(first, payload, limit=limit)
            if whole is not None:
                yield whole
        if at < size:
            self._rest = taken[at:]

    def _judge(self, first: int, second: int) -> None:
        """Refuse a header that no client may send here."""
        opcode = first & _OPCODE
        if first & _RSV:
            raise FrameViolation(CloseCode.PROTOCOL_ERROR, "reserved bits must be 0")
        if opcode not in _CODES:
            raise FrameViolation(CloseCode.PROTOCOL_ERROR, "unknown opcode")
        if not second & _MASKED:
            raise FrameViolation(CloseCode.PROTOCOL_ERROR, "frames of a client must be masked")
        if opcode & _CONTROL:
            if not first & _FIN:
                raise FrameViolation(CloseCode.PROTOCOL_ERROR, "control frames are not fragmented")
            if second & _LENGTH > CONTROL_BYTES:
                raise FrameViolation(CloseCode.PROTOCOL_ERROR, "control frame too long")
        elif (opcode == Opcode.CONTINUATION) is (self._message is None):
            raise FrameViolation(CloseCode.PROTOCOL_ERROR, "unexpected fragment")

    def _whole(self, first: int, payload: bytes, *, limit: int) -> tuple[int, bytes] | None:
        """The message or control frame that this frame completes, if it does."""
        opcode = first & _OPCODE
        if opcode & _CONTROL:
            return opcode, payload
        if self._message is not None:
            self._message += payload
            if len(self._message) > limit:
                raise FrameViolation(CloseCode.TOO_BIG, "message too big")
            if not first & _FIN:
                return None
            opcode, payload = self._opcode, bytes(self._message)
            self._message = None
        elif len(payload) > limit:
            raise FrameViolation(CloseCode.TOO_BIG, "message too big")
        elif not first & _FIN:
            self._message = bytearray(payload)
            self._opcode = opcode
            return None
        if opcode == Opcode.TEXT:
            _check_utf8(payload)
        return opcode, payload


def _head(size: int, *, binary: bool) -> bytes:
    first = b"\x82" if binary else b"\x81"
    if size < 126:
        return first + size.to_bytes(1, "big")
    if size < 65_536:
        return first + b"\x7e" + size.to_bytes(2, "big")
    return first + b"\x7f" + size.to_bytes(8, "big")


_TEXT_HEADS: Final = [_head(size, binary=False) for size in range(2048)]
_BINARY_HEADS: Final = [_head(size, binary=True) for size in range(2048)]
"""Nearly every frame is as short as that."""


def frame_of(payload: bytes, *, binary: bool) -> bytes:
    """One unfragmented, unmasked WebSocket frame, as a server sends it."""
    size = len(payload)
    if size < 2048:
        return (_BINARY_HEADS if binary else _TEXT_HEADS)[size] + payload
    return _head(size, binary=binary) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; without a code (1005 is not one) it is empty."""
    payload = b"" if code == CloseCode.NO_STATUS else code.to_bytes(2, "big") + reason.encode()
    return bytes((_FIN | Opcode.CLOSE, len(payload))) + payload


PING_FRAME: Final = bytes((_FIN | Opcode.PING, 0))


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping with the same payload."""
    return bytes((_FIN | Opcode.PONG, len(payload))) + payload


def close_code_of(payload: bytes) -> int:
    """The code in a client's close frame. Raises `FrameViolation` if it may not send that."""
    if not payload:
        return CloseCode.NO_STATUS
    code = int.from_bytes(payload[:2], "big")
    allowed = 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
    if len(payload) < 2 or not allowed:
        raise FrameViolation(CloseCode.PROTOCOL_ERROR, "invalid close code")
    _check_utf8(payload[2:])
    return code


def _check_utf8(text: bytes) -> None:
    if not _is_utf8(text):
        raise FrameViolation(CloseCode.INVALID_DATA, "text must be UTF-8")


def _is_utf8(text: bytes) -> bool:
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            return False
    return True
