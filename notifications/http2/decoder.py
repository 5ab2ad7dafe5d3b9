"""Header blocks read (HPACK, RFC 7541), in one pass and without an object for each field."""

from hpack.huffman_table import (
    HUFFMAN_COMPLETE,
    HUFFMAN_EMIT_SYMBOL,
    HUFFMAN_FAIL,
    HUFFMAN_TABLE,
)
from hpack.table import HeaderTable

from notifications.http2.frames import ErrorCode, Http2Error

Header = tuple[bytes, bytes]

TABLE_BYTES = 4096
"""What the other side may have us remember."""
LIST_BYTES = 65_536
"""Names and values of one message, at most."""

_STATIC: tuple[Header, ...] = tuple((name, value) for name, value in HeaderTable.STATIC_TABLE)
_STATICS = len(_STATIC)
_OVERHEAD = 32
"""Bytes that an entry counts beside its name and value."""


class HeaderDecoder:
    """Reads one connection's blocks in their order, and remembers what they want remembered."""

    def __init__(self) -> None:
        # The newest first, as indices count.
        self._table: list[Header] = []
        self._bytes = 0
        self._most = TABLE_BYTES

    def decode(self, block: bytes) -> list[Header]:
        """The fields of a whole block. Raises `Http2Error`."""
        try:
            return self._decode(block)
        except IndexError:
            raise Http2Error(
                ErrorCode.COMPRESSION_ERROR, "a header block that ends early"
            ) from None

    def _decode(self, block: bytes) -> list[Header]:
        headers: list[Header] = []
        place, end, size = 0, len(block), 0
        while place < end:
            first = block[place]
            if first >= 0x80:
                index, place = (
                    _integer(block, place, 0x7F) if first == 0xFF else (first & 0x7F, place + 1)
                )
                header = self._entry(index)
            elif first & 0xE0 == 0x20:
                if headers:
                    raise Http2Error(ErrorCode.COMPRESSION_ERROR, "a late change of the table")
                most, place = _integer(block, place, 0x1F)
                if most > TABLE_BYTES:
                    raise Http2Error(ErrorCode.COMPRESSION_ERROR, "too large a table")
                self._most = most
                self._evict(0)
                continue
            else:
                kept = first >= 0x40
                index, place = _integer(block, place, 0x3F if kept else 0x0F)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, place = _text(block, place)
                value, place = _text(block, place)
                header = name, value
                if kept:
                    self._remember(header)
            headers.append(header)
            size += len(header[0]) + len(header[1])
            if size > LIST_BYTES:
                raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "too many headers")
        return headers

    def _entry(self, index: int) -> Header:
        if 0 < index <= _STATICS:
            return _STATIC[index - 1]
        if not index:
            raise Http2Error(ErrorCode.COMPRESSION_ERROR, "index 0")
        return self._table[index - _STATICS - 1]

    def _remember(self, header: Header) -> None:
        size = len(header[0]) + len(header[1]) + _OVERHEAD
        self._evict(size)
        if size <= self._most:
            self._table.insert(0, header)
            self._bytes += size

    def _evict(self, room: int) -> None:
        """Forget the oldest, until so many bytes more have room."""
        while self._table and self._bytes + room > self._most:
            name, value = self._table.pop()
            self._bytes -= len(name) + len(value) + _OVERHEAD


def _integer(block: bytes, place: int, prefix: int) -> tuple[int, int]:
    """An integer that begins in the last bits of a byte, and where it ends."""
    value = block[place] & prefix
    place += 1
    if value < prefix:
        return value, place
    shift = 0
    while True:
        byte = block[place]
        place += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 21:
            raise Http2Error(ErrorCode.COMPRESSION_ERROR, "too large a number")


def _text(block: bytes, place: int) -> tuple[bytes, int]:
    """A name or value, and where it ends."""
    coded = block[place] >= 0x80
    size, place = _integer(block, place, 0x7F)
    end = place + size
    if end > len(block):
        raise IndexError
    text = block[place:end]
    return (_plain(text) if coded else text), end


def _plain(text: bytes) -> bytes:
    """What a Huffman coded text says. Raises `Http2Error`."""
    state, steps = 0, _STEPS
    spoken: list[bytes] = []
    flags = HUFFMAN_COMPLETE
    for byte in text:
        step = steps.get(state << 8 | byte)
        if step is None:
            step = steps[state << 8 | byte] = _step(state, byte)
        state, flags, letters = step
        spoken.append(letters)
    if not flags & HUFFMAN_COMPLETE:
        raise Http2Error(ErrorCode.COMPRESSION_ERROR, "half a letter")
    return b"".join(spoken)


_STEPS: dict[int, tuple[int, int, bytes]] = {}
"""Where a byte leads from a state and what it says: found out when it is first met."""


def _step(state: int, byte: int) -> tuple[int, int, bytes]:
    letters = bytearray()
    flags = 0
    for half in (byte >> 4, byte & 0xF):
        state, flags, letter = HUFFMAN_TABLE[state * 16 + half]
        if flags & HUFFMAN_FAIL:
            raise Http2Error(ErrorCode.COMPRESSION_ERROR, "no letter")
        if flags & HUFFMAN_EMIT_SYMBOL:
            letters.append(letter)
    return state, flags, bytes(letters)
