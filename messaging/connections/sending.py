"""Writing to many sockets: in C where that was compiled, in Python everywhere.

Both ways do the same. Sockets are file descriptors that do not block; a negative one is left
out. What is returned is told of those only that did not take all of it: their place in the
list, and how many bytes they took, or -1 for a connection that is broken.
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass

Shortfall = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Writers:
    """The two ways in which many are written to."""

    to_all: Callable[[list[int], bytes], list[Shortfall]]
    """The same frame to each socket."""
    to_each: Callable[[list[int], list[bytes]], list[Shortfall]]
    """To each socket its own frame."""


def writers(*, compiled: bool) -> Writers:
    """The compiled ones if they are wanted and there, else those in Python."""
    if compiled:
        try:
            native = importlib.import_module("messaging.native")
        except ImportError:
            return IN_PYTHON
        return Writers(to_all=native.write_to_all, to_each=native.write_to_each)
    return IN_PYTHON


def _write_to_each(sockets: list[int], frames: list[bytes]) -> list[Shortfall]:
    write = os.write
    shortfalls = []
    for index, (socket, frame) in enumerate(zip(sockets, frames, strict=True)):
        written = 0
        if socket >= 0:
            try:
                written = write(socket, frame)
            except BlockingIOError:
                written = 0
            except OSError:
                written = -1
        if written != len(frame):
            shortfalls.append((index, written))
    return shortfalls


def _write_to_all(sockets: list[int], frame: bytes) -> list[Shortfall]:
    return _write_to_each(sockets, [frame] * len(sockets))


IN_PYTHON = Writers(to_all=_write_to_all, to_each=_write_to_each)
