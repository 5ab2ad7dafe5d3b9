"""The two ends of a connection: who asks, and who answers."""

from typing import NamedTuple

from notifications.http2.decoder import LIST_BYTES, Header
from notifications.http2.encoder import HeaderEncoder, literal
from notifications.http2.frames import (
    LAST_STREAM,
    PREFACE,
    ErrorCode,
    Http2Error,
    Setting,
)
from notifications.http2.streams import Streams
from notifications.http2.wire import Wire


class Head(NamedTuple):
    """A request's headers by how often they are said: the common ones by many, the own by one."""

    pseudo: tuple[Header, ...]
    """Common ones whose names begin with a colon."""
    common: tuple[Header, ...]
    path: bytes = b""
    """Its own, when it is not among the common ones."""
    own: tuple[Header, ...] = ()


class ClientWire(Wire):
    """Asks. A request leaves whole, so the window of its stream is never looked at again."""

    def __init__(self, streams: Streams) -> None:
        settings: dict[int, int] = {
            Setting.ENABLE_PUSH: 0,
            Setting.MAX_HEADER_LIST_SIZE: LIST_BYTES,
        }
        super().__init__(streams, settings=settings, preface=PREFACE)
        self._encoder = HeaderEncoder()
        self._last = -1

    @property
    def is_spent(self) -> bool:
        """Whether there is no number left for another stream."""
        return self._last >= LAST_STREAM - 2

    def takes(self, body: bytes) -> bool:
        """Whether the windows are open wide enough for this body."""
        return len(body) <= self.window and len(body) <= self.initial_window

    def ask(self, head: Head, body: bytes) -> int:
        """Send a request that the other side takes; its stream."""
        self._last = stream = self._last + 2
        self._coming[stream] = 0
        block = self._encoder.common(head.pseudo)
        if head.path:
            block += literal(((b":path", head.path),))
        block += self._encoder.common(head.common)
        if head.own:
            block += literal(head.own)
        self.send_headers(stream, block, ended=False)
        self.send_data(stream, body, ended=True)
        return stream

    def _apply(self, said: dict[int, int]) -> None:
        size = said.get(Setting.HEADER_TABLE_SIZE)
        if size is not None:
            self._encoder.allow(size)

    def _is_idle(self, stream: int) -> bool:
        return stream > self._last or stream % 2 == 0

    def _is_coming(self, stream: int, ended: bool) -> bool:
        if self._is_idle(stream):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "an answer to nothing")
        return stream in self._coming

    def _open_window(self, stream: int, by: int) -> None:
        """A request leaves whole: nobody looks at the window of its stream again."""


class ServerWire(Wire):
    """Answers. What waits for the window of its stream is kept by whoever keeps the streams."""

    def __init__(self, streams: Streams, *, settings: dict[int, int]) -> None:
        super().__init__(streams, settings=settings)
        self.highest = 0
        """The last stream that was opened."""
        # What each stream may be sent beside, or less than, the window it began with.
        self._credit: dict[int, int] = {}

    def room(self, stream: int) -> int:
        """Bytes of DATA that may be sent on this stream now."""
        return min(self.window, self.initial_window + self._credit.get(stream, 0))

    def send_data(self, stream: int, data: bytes, *, ended: bool) -> None:
        if stream in self._credit:
            self._credit[stream] -= len(data)
        super().send_data(stream, data, ended=ended)

    def forget(self, stream: int) -> None:
        """Nothing more is sent on it."""
        self._credit.pop(stream, None)

    def _open_window(self, stream: int, by: int) -> None:
        if stream in self._credit:
            self._credit[stream] += by

    def _is_idle(self, stream: int) -> bool:
        return stream > self.highest or stream % 2 == 0

    def _is_coming(self, stream: int, ended: bool) -> bool:
        if stream in self._coming:
            if not ended:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "headers within a body")
            return True
        if stream <= self.highest or stream % 2 == 0:
            raise Http2Error(ErrorCode.STREAM_CLOSED, "headers of a stream that is over")
        self.highest = stream
        self._credit[stream] = 0
        if not ended:
            self._coming[stream] = 0
        return True

    def _apply(self, said: dict[int, int]) -> None:
        """What answers may take is in their windows already."""
