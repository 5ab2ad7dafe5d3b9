"""Header blocks of pushes, encoded as Apple asks for it, and without doing the same work twice."""

from collections.abc import Sequence

from hpack import Encoder

from notifications.adapters.http2_exchange import Header


class HeaderEncoder(Encoder):
    """Same headers for every push go into HPACK's table; what differs never does.

    Apple: `:path`, `authorization` and the apns-id, -expiration and -collapse-id are literals
    without indexing, or they push everything else out of a small table. The block of the
    constant headers is remembered, since encoding it is most of the work of a push. FCM's are
    all constant, as long as a bearer lasts.
    """

    def __init__(self, varying: frozenset[bytes]) -> None:
        """Raises KeyError for a varying name that has no encoding here."""
        super().__init__()
        self._varying = {name: _LITERALS[name] for name in varying}
        self._table: tuple[Header, ...] = ()
        self._known: dict[tuple[Header, ...], bytes] = {}

    def encode(self, headers: Sequence[Header], huffman: bool = True) -> bytes:  # type: ignore[override]
        """Encode pseudo headers first, whatever varies last within each kind."""
        block = bytearray()
        for pseudo in (True, False):
            kind = [header for header in headers if header[0].startswith(b":") is pseudo]
            block += self._constant(tuple(each for each in kind if each[0] not in self._varying))
            for name, value in kind:
                if name in self._varying:
                    block += self._varying[name]
                    block += _length(len(value))
                    block += value
        return bytes(block)

    def _constant(self, headers: tuple[Header, ...]) -> bytes:
        table = tuple(self.header_table.dynamic_entries)
        resized = self.header_table.resized
        if resized or table != self._table:
            # Every index into the table may mean something else now.
            self._known.clear()
            self._table = table
        elif headers in self._known:
            return self._known[headers]
        encoded: bytes = super().encode(headers)
        if not resized and table == tuple(self.header_table.dynamic_entries):
            # It left the table as it was, so it can be said again word for word.
            self._known[headers] = encoded
        return encoded


def _length(size: int) -> bytes:
    """HPACK's integer with a 7-bit prefix, for a string that is not Huffman coded."""
    if size < 127:
        return bytes([size])
    encoded, size = bytearray([127]), size - 127
    while size >= 128:
        encoded.append(size % 128 + 128)
        size //= 128
    encoded.append(size)
    return bytes(encoded)


def _new_name(name: bytes) -> bytes:
    return b"\x00" + _length(len(name)) + name


_LITERALS = {
    # Literals without indexing; the first two names have a place in the static table.
    b":path": b"\x04",
    b"authorization": b"\x0f\x08",
    **{name: _new_name(name) for name in (b"apns-id", b"apns-expiration", b"apns-collapse-id")},
}

APNS_VARYING = frozenset(_LITERALS)
