"""HTTP as uvicorn reads it, but a request's head has a size and must arrive in time."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from messaging.streaming.endpoint import EXTENSION

log = logging.getLogger(__name__)

HEAD_BYTES = 65_536
"""What request line and headers may hold; the parser alone would collect without end."""


class PunctualHttp(HttpToolsProtocol):
    """Closes connections that do not finish a request's head: they would cost us for ever.

    An answer that does not end may `hold` the connection: it hears when the server stops.
    """

    def __init__(self, *arguments: Any, head_seconds: float, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._head_seconds = head_seconds
        self._head_bytes = 0
        self._late: asyncio.TimerHandle | None = None
        self._leave: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        if self._late is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        # What completed the head may have brought more; only an unfinished one is too large.
        if self._late is not None and self._head_bytes > HEAD_BYTES:
            self._give_up("request head too large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._leave = None
        cast(dict[str, Any], self.scope)["extensions"] = {EXTENSION: self.hold}
        if self._late is None:
            self._expect_head()

    def hold(self, leave: Callable[[], None]) -> Callable[[], None]:
        """Have `leave` called when the server stops; what is returned cuts the connection."""
        self._leave = leave
        return self.transport.abort

    def shutdown(self) -> None:
        if self._leave is not None and not self.cycle.response_complete:
            self._leave()
        super().shutdown()

    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._late = self.loop.call_later(
            self._head_seconds, self._give_up, "request head not in time"
        )

    def _head_came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self, why: str) -> None:
        self._head_came()
        log.debug(why)
        self.transport.abort()


def punctual_http(head_seconds: float) -> type[asyncio.Protocol]:
    """The protocol as uvicorn makes it, one for each connection."""
    return partial(PunctualHttp, head_seconds=head_seconds)  # type: ignore[return-value]
