"""Reads what a server says more strictly than any client, and fails on what it must not say."""

from collections.abc import Iterator

from messaging.connections.framing import CloseCode
from messaging.protocol.codec import ClientCodec
from messaging.protocol.codes import DisconnectCode, ErrorCode
from messaging.protocol.frames import Reply
from messaging.protocol.results import Error

CLOSE, PONG = 8, 10
CLOSE_CODES = (frozenset(DisconnectCode) | frozenset(CloseCode)) - {DisconnectCode.INTERNAL}
"""What a connection may be closed with, unless the client named another code first."""

ERROR_CODES = (frozenset(ErrorCode) | frozenset(range(400, 2000))) - {ErrorCode.INTERNAL}
"""What a command may be answered with: nothing that a client says goes wrong inside."""


class Judge:
    """Takes the bytes of one connection as they come."""

    def __init__(self, codec: ClientCodec) -> None:
        self.codec = codec
        self.errors: list[int] = []
        self.replies: list[Reply] = []
        self.close_code: int | None = None
        self.agreed: set[int] = set()
        """Codes that the client closed with: the server says the same."""
        self._rest = b""

    def hear(self, data: bytes) -> None:
        """Judge all that is whole."""
        for opcode, payload in self._frames(data):
            assert self.close_code is None, "nothing follows a close frame"
            if opcode == CLOSE:
                self._closed(payload)
            elif opcode != PONG:
                assert opcode == (2 if self.codec.binary else 1)
                self._said(payload)

    def _closed(self, payload: bytes) -> None:
        assert len(payload) <= 125
        payload[2:].decode()
        self.close_code = int.from_bytes(payload[:2], "big") if payload else CloseCode.NO_STATUS
        assert self.close_code in CLOSE_CODES | self.agreed

    def _said(self, payload: bytes) -> None:
        for answer in self.codec.decode_answers(payload):
            match answer:
                case Reply(result=Error(code=code)):
                    assert code in ERROR_CODES
                    self.errors.append(code)
                case Reply():
                    self.replies.append(answer)
                case _:
                    pass

    def _frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        data, at = self._rest + data, 0
        while len(data) - at >= 2:
            first, size = data[at], data[at + 1]
            assert first & 0xF0 == 0x80, "a server's frames are whole and without extensions"
            assert size < 0x80, "a server does not mask"
            start = at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : start], "big")
            if len(data) < start + size:
                break
            at = start + size
            yield first & 0x0F, data[start:at]
        self._rest = data[at:]
