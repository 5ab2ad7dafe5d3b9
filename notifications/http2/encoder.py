"""Header blocks written, without doing the same work twice."""

from collections.abc import Iterable
from functools import lru_cache

from hpack import Encoder

from notifications.http2.decoder import TABLE_BYTES, Header

_NAMES = {b":path": b"\x04", b"authorization": b"\x0f\x08"}
"""Literals without indexing whose names have a place in the static table."""
_STATUS = {200: b"\x88", 204: b"\x89", 400: b"\x8c", 404: b"\x8d", 500: b"\x8e"}


class HeaderEncoder(Encoder):
    """What all messages have in common goes into HPACK's table; what differs never does.

    The block of the common headers is remembered, since encoding it is most of the work.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[Header, ...], bytes] = {}

    def allow(self, table: int) -> None:
        """The other side remembers so many bytes; more than usual are not made use of."""
        self.header_table_size = min(table, TABLE_BYTES)

    def common(self, headers: tuple[Header, ...]) -> bytes:
        """The block of headers that are said often. It must be sent, in the order of calls."""
        known = None if self.header_table.resized else self._known.get(headers)
        return self._encoded(headers) if known is None else known

    def _encoded(self, headers: tuple[Header, ...]) -> bytes:
        resized = self.header_table.resized
        before = tuple(self.header_table.dynamic_entries)
        block: bytes = self.encode(headers)
        if not resized and before == tuple(self.header_table.dynamic_entries):
            # It left the table as it was, so it can be said again word for word.
            self._known[headers] = block
        else:
            # Every index into the table may mean something else now.
            self._known.clear()
        return block


def literal(headers: Iterable[Header]) -> bytes:
    """A block that neither asks the table nor changes it, for what differs each time."""
    parts: list[bytes] = []
    for name, value in headers:
        parts.append(_NAMES.get(name) or _new_name(name))
        parts.append(_length(len(value)))
        parts.append(value)
    return b"".join(parts)


def status(code: int) -> bytes:
    """The block of an answer's status."""
    return _STATUS.get(code) or b"\x08\x03%d" % code


def _length(size: int) -> bytes:
    """HPACK's integer with a 7-bit prefix, for a text that is not Huffman coded."""
    if size < 127:
        return _SHORT[size]
    encoded, size = bytearray([127]), size - 127
    while size >= 128:
        encoded.append(size % 128 + 128)
        size //= 128
    encoded.append(size)
    return bytes(encoded)


_SHORT = [bytes([size]) for size in range(127)]


@lru_cache(maxsize=256)
def _new_name(name: bytes) -> bytes:
    return b"\x00" + _length(len(name)) + name
