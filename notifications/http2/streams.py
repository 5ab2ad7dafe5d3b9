"""What the two ends of a connection need to know of each other's streams."""

from collections.abc import Mapping
from typing import Protocol

from notifications.http2.decoder import Header


class Streams(Protocol):
    """Who keeps a connection's streams, and hears what comes for them.

    Streams that are not known there were given up: what still comes for them means nothing.
    """

    def on_headers(self, stream: int, headers: list[Header], ended: bool) -> None: ...

    def on_data(self, stream: int, data: bytes, ended: bool) -> None: ...

    def on_reset(self, stream: int, code: int) -> None: ...

    def on_settings(self, said: Mapping[int, int]) -> None: ...

    def on_window(self) -> None:
        """The other side takes more than before."""
        ...

    def on_ping(self) -> None:
        """It was answered already."""
        ...

    def on_goaway(self, last_stream: int, debug: bytes) -> None: ...
